//! Opening a folder: what the log holds, as a function of the durable bytes alone.
//!
//! 1. [`files`]: find the segment files; refuse foreign ones, sweep leftovers.
//! 2. [`scan`]: per segment, find the records that validate, also behind damage.
//! 3. [`judge`]: tell damage from a torn tail, and where the log ends.
//! 4. [`scrub`]: make sure that nothing behind the end can ever come back; sync what was found.
//! 5. [`replay`]: carry the records into the index, in the order of their operations.

mod files;
mod judge;
mod replay;
mod scan;
mod scrub;

use repertoire_core::{Error, ErrorKind, GroupId};

use crate::append::Purpose;
use crate::format::{Draft, Kind, Prefix, SEGMENT_HEADER_BYTES, checksum_seed};
use crate::index::Index;
use crate::log::{Synced, Tail};
use crate::segments::{Segment, Segments};
use crate::{Counters, Disk, LogPosition, Options, SegmentLog};

use judge::Verdict;

/// A log that did not open, with the disk to try again.
#[derive(Debug)]
pub struct OpenFailure<D> {
    /// Why.
    pub error: Error,
    /// The disk that was given.
    pub disk: D,
}

impl<D: Disk> SegmentLog<D> {
    /// Opens the log in a folder, or starts one in an empty folder.
    ///
    /// Afterwards everything that [`recovered`](repertoire_core::LogStore::recovered) reports is on
    /// stable storage, and nothing else can ever come back.
    ///
    /// # Errors
    /// `ConfigInvalid` for bad options and for a folder of another identity, `Unsupported` for
    /// another format version, `StorageFull` when the first segment does not fit, `Corrupted` when
    /// two files claim the same place, `StorageFailed` when the disk fails.
    pub fn open(disk: D, options: Options) -> Result<Self, Error> {
        Self::open_or_return(disk, options).map_err(|failure| failure.error)
    }

    /// As [`open`](Self::open), but gives the disk back with an error.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_or_return(disk: D, options: Options) -> Result<Self, Box<OpenFailure<D>>> {
        let mut log = Self {
            disk,
            seed: checksum_seed(options.identity),
            index: Index::new(options.kept(options.retention_bytes)),
            options,
            segments: Segments::default(),
            tail: Tail::default(),
            synced: Synced::default(),
            dirty: Vec::new(),
            buffer: Vec::new(),
            places: Vec::new(),
            evacuation: None,
            oldest: 0,
            unmarked: Vec::new(),
            recovered: std::collections::BTreeMap::new(),
            damage: Vec::new(),
            counters: Counters::default(),
            starved: false,
            poisoned: false,
        };
        match log.recover() {
            Ok(()) => Ok(log),
            Err(error) => Err(Box::new(OpenFailure {
                error,
                disk: log.disk,
            })),
        }
    }

    fn recover(&mut self) -> Result<(), Error> {
        self.options.validate()?;
        let mut found = self.find_files()?;
        let (mut scanned, mut data) = (Vec::<scan::Scanned>::new(), Vec::new());
        for (sequence, file) in &found.segments {
            // Segments are about alike.
            let before = scanned.last().map(|before| before.pieces.len());
            let expected = before.unwrap_or(scan::PIECES_EXPECTED);
            scanned.push(self.scan_segment(*sequence, file, &mut data, expected)?);
        }
        drop(data);
        let verdict = judge::judge(&scanned);
        let end = verdict.end.unwrap_or_else(|| found.first_position());
        self.scrub(&found, &scanned, end)?;
        self.settle(&mut found, &verdict, end)?;
        if self.segments.live.is_empty() {
            self.make_ready(1)?;
            self.segments.roll();
        }
        self.tail = Tail {
            offset: end.offset.max(SEGMENT_HEADER_BYTES),
            previous: verdict.previous,
            burst: verdict.burst,
            order: verdict.order.max(1),
        };
        let upto = self.end();
        self.synced = Synced {
            burst: verdict.burst,
            upto,
            stated: if verdict.sealed {
                upto
            } else {
                LogPosition::default()
            },
        };
        self.oldest = match verdict.end {
            None => self.segments.oldest(),
            Some(_) => verdict.oldest,
        };
        self.replay(verdict);
        self.begin()
    }

    /// Sorts the files into the log, what is ready behind it, and spares.
    fn settle(
        &mut self,
        found: &mut files::Found,
        verdict: &Verdict,
        end: LogPosition,
    ) -> Result<(), Error> {
        self.segments.next_name = found.next_name;
        let missing = (verdict.oldest..=end.sequence)
            .any(|sequence| sequence > 0 && !found.segments.contains_key(&sequence));
        for (sequence, file) in std::mem::take(&mut found.segments) {
            if sequence < verdict.oldest {
                found.blank.push(file);
            } else if sequence <= end.sequence {
                self.segments.live.insert(sequence, Segment::new(file));
            } else if sequence == self.segments.next_sequence()
                && file.size == self.options.segment_bytes
            {
                self.segments.ready.push_back(file);
            } else {
                self.blank_header(&file)?;
                found.blank.push(file);
            }
        }
        for file in std::mem::take(&mut found.blank) {
            if missing {
                // One of these may be the segment that is missing: leave it to be looked at.
                self.segments.strange.push(file);
            } else if file.size == self.options.segment_bytes {
                self.segments.spare.push(file);
            } else {
                let removed = self.disk.remove(&file.name, file.file);
                removed.map_err(|error| self.failed("removing a file", &error))?;
            }
        }
        Ok(())
    }

    /// Ends an opening: writes down which groups are damaged and that all before is synced, so that
    /// later damage to it is not taken for a torn tail. A full disk puts that off.
    fn begin(&mut self) -> Result<(), Error> {
        if self.unmarked.is_empty() && (self.tail.burst == 0 || self.is_sealed()) {
            return Ok(());
        }
        let sealed = self.unmarked.is_empty();
        let marked = self.mark_damaged().and_then(|()| self.sync_log());
        match marked {
            Err(error) if *error.kind() == ErrorKind::StorageFull => return Ok(()),
            other => other?,
        }
        if sealed {
            self.synced.stated = self.synced.upto;
        }
        Ok(())
    }

    fn is_sealed(&self) -> bool {
        self.synced.stated == self.synced.upto
    }

    /// Writes a burst with one record for each group whose damage is not on record yet.
    fn mark_damaged(&mut self) -> Result<(), Error> {
        let groups = self.unmarked.clone();
        let orders = self.tail.order..;
        let drafts: Vec<Draft<'_>> = groups
            .iter()
            .zip(orders)
            .map(|(group, order)| marker(Kind::Damaged, *group, order))
            .collect();
        self.append(&drafts, Purpose::HOUSEKEEPING)?;
        let places = std::mem::take(&mut self.places);
        for (id, place) in groups.iter().zip(&places) {
            let group = self.index.group_mut(*id);
            crate::append::note(group, *id, place.sequence, &mut self.segments);
            group.marker = Some(*place);
            self.segments.revive(*place);
        }
        self.unmarked.clear();
        self.places = places;
        Ok(())
    }
}

fn marker(kind: Kind, group: GroupId, order: u64) -> Draft<'static> {
    Draft {
        kind,
        group,
        stream: repertoire_core::StreamId::default(),
        position: 0,
        order,
        prefix: Prefix::EMPTY,
        body: &[],
    }
}
