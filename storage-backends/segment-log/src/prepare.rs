//! Making segments ready before they are needed.
//!
//! A ready segment was written with zeros once, so that writing to it changes no metadata, and its
//! header is on stable storage before any record is: records of a sequence lie in one file only.

use repertoire_core::{Error, ErrorKind};

use crate::format::SegmentHeader;
use crate::segments::{Building, SegmentFile};
use crate::{Disk, DiskError, SegmentLog};

/// The next segment, and one in reserve for the operations that free space.
const READY: usize = 2;

/// Names of segment files end so.
pub(crate) const SEGMENT_SUFFIX: &str = ".log";

/// Names of files that are being made end so; leftovers are swept.
pub(crate) const BUILDING_SUFFIX: &str = ".new";

/// Names of all our files start so.
pub(crate) const NAME_PREFIX: &str = "segment-";

impl<D: Disk> SegmentLog<D> {
    /// Whether [`prepare_step`](Self::prepare_step) has work to do.
    pub fn needs_preparation(&self) -> bool {
        !self.poisoned && !self.starved && (self.wants_segment() || self.wants_evacuation())
    }

    /// Whether to make a segment ready now. The second one waits for a file that is about to be
    /// free: a new one would be one too many.
    fn wants_segment(&self) -> bool {
        let has_file = !self.segments.spare.is_empty() || !self.is_recycling();
        match self.segments.ready.len() {
            0 => true,
            ready => ready < READY && has_file,
        }
    }

    /// Does a piece of the work that is best done between bursts: makes the next segment ready, or
    /// copies records of value out of the oldest one. Writes about `budget_bytes`; at least one
    /// record. Answers whether there is more to do. Without space it does nothing.
    ///
    /// # Errors
    /// `StorageFailed`: final, as for a write.
    pub fn prepare_step(&mut self, budget_bytes: u64) -> Result<bool, Error> {
        self.check()?;
        if self.starved {
            return Ok(false);
        }
        let done = if self.wants_segment() {
            self.prepare_piece(budget_bytes).map(|_| ())
        } else if self.wants_evacuation() {
            self.evacuate_piece(budget_bytes)
        } else {
            return Ok(false);
        };
        match done {
            Err(error) if *error.kind() == ErrorKind::StorageFull => {
                self.starved = true;
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(self.needs_preparation()),
        }
    }

    /// Makes segments ready while a write waits.
    pub(crate) fn make_ready(&mut self, wanted: usize) -> Result<(), Error> {
        while self.segments.ready.len() < wanted {
            if self.prepare_piece(u64::MAX)? {
                self.counters.segments_late += 1;
            }
        }
        self.starved = false;
        Ok(())
    }

    /// Works on one more ready segment; answers whether there is one more now.
    fn prepare_piece(&mut self, budget: u64) -> Result<bool, Error> {
        if let Some(file) = self.segments.spare.pop() {
            return self.name_segment(file, None).map(|()| true);
        }
        let mut building = match self.segments.building.take() {
            Some(building) => building,
            None => self.begin_building()?,
        };
        let left = building.file.size - building.filled;
        let piece = left.min(u32::try_from(budget).unwrap_or(u32::MAX));
        let SegmentFile { file, .. } = building.file;
        if let Err(error) = self
            .disk
            .allocate(file, building.filled.into(), piece.into())
        {
            return Err(self.give_up_building(&building, &error));
        }
        building.filled += piece;
        if building.filled < building.file.size {
            self.segments.building = Some(building);
            return Ok(false);
        }
        let building_name = building.file.name.clone();
        let mut file = building.file;
        file.name = building_name.replace(BUILDING_SUFFIX, SEGMENT_SUFFIX);
        self.name_segment(file, Some(&building_name)).map(|()| true)
    }

    fn begin_building(&mut self) -> Result<Building, Error> {
        let size = self.options.segment_bytes;
        let bytes = self.segments.bytes() + u64::from(size);
        if bytes > self.options.capacity_bytes {
            return Err(Error::new(ErrorKind::StorageFull, "making a segment")
                .with("bytes", bytes)
                .with("capacity_bytes", self.options.capacity_bytes));
        }
        let name = format!(
            "{NAME_PREFIX}{:08}{BUILDING_SUFFIX}",
            self.segments.next_name
        );
        let created = self.disk.create(&name);
        let file = created.map_err(|error| self.failed("making a segment", &error))?;
        self.segments.next_name += 1;
        let file = SegmentFile { name, file, size };
        Ok(Building { file, filled: 0 })
    }

    fn give_up_building(&mut self, building: &Building, error: &DiskError) -> Error {
        let SegmentFile { name, file, .. } = &building.file;
        let failure = self.failed("making a segment", error);
        match self.disk.remove(name, *file) {
            Ok(()) => failure,
            Err(error) => self.failed_for_good("removing a half-made segment", &error),
        }
    }

    /// Gives a file the next sequence, durably, and then its name when that changes.
    fn name_segment(&mut self, file: SegmentFile, building: Option<&str>) -> Result<(), Error> {
        let header = SegmentHeader {
            identity: self.options.identity,
            sequence: self.segments.next_sequence(),
            size: file.size.into(),
        };
        let named = self
            .disk
            .write_at(file.file, 0, &header.encode())
            .and_then(|()| self.disk.sync_data(file.file))
            .and_then(|()| match building {
                None => Ok(()),
                Some(from) => self
                    .disk
                    .rename(from, &file.name)
                    .and_then(|()| self.disk.sync_dir()),
            });
        named.map_err(|error| self.failed_for_good("making a segment", &error))?;
        self.segments.ready.push_back(file);
        Ok(())
    }
}
