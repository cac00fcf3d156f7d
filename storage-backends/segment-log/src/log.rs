//! The log itself: its state, and the trait that protocols see.

use std::collections::BTreeMap;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Error, ErrorKind, GroupId, GroupLogOp, LogSlice, LogStore, Lsn, RecoveredGroup, StreamId,
};

use crate::append::Purpose;
use crate::index::{Index, Place};
use crate::plan;
use crate::reclaim::Evacuation;
use crate::segments::Segments;
use crate::{Counters, Damage, Disk, DiskError, DiskErrorKind, FileId, LogPosition, Options};

/// Bytes that one step of maintenance writes: about a millisecond of a burst's time.
const MAINTENANCE_BYTES: u64 = 1024 * 1024;

/// Where the log ends, and the numbers that go on from there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    /// Offset in the active segment.
    pub offset: u32,
    /// Checksum of the last record's head.
    pub previous: u32,
    /// Number of the last burst.
    pub burst: u64,
    /// Number of the next operation.
    pub order: u64,
}

/// How far the log is on stable storage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Synced {
    pub burst: u64,
    pub upto: LogPosition,
    /// What the last burst header on disk says of `upto`.
    pub stated: LogPosition,
}

/// One segmented log for all groups and streams of a node. See the crate's documentation.
#[derive(Debug)]
pub struct SegmentLog<D> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    /// What checksums start from.
    pub(crate) seed: u32,
    pub(crate) segments: Segments,
    pub(crate) index: Index,
    pub(crate) tail: Tail,
    pub(crate) synced: Synced,
    /// Files written since the last sync, oldest first.
    pub(crate) dirty: Vec<FileId>,
    /// Where bursts are put together.
    pub(crate) buffer: Vec<u8>,
    /// Where the records of the last burst went, its header not included.
    pub(crate) places: Vec<Place>,
    pub(crate) evacuation: Option<Evacuation>,
    /// The oldest segment of value, as burst headers state it.
    pub(crate) oldest: u64,
    /// Groups whose damage no record states yet.
    pub(crate) unmarked: Vec<GroupId>,
    pub(crate) recovered: BTreeMap<GroupId, RecoveredGroup>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) counters: Counters,
    /// Set when preparation found no space; cleared when space may have come back.
    pub(crate) starved: bool,
    pub(crate) poisoned: bool,
}

impl<D: Disk> SegmentLog<D> {
    /// Figures since the log was opened.
    pub fn counters(&self) -> Counters {
        Counters {
            segments_live: self.segments.live.len() as u64,
            segments_ready: self.segments.ready.len() as u64,
            segments_spare: self.segments.spare.len() as u64,
            bytes_live: self.segments.live_bytes,
            ..self.counters
        }
    }

    /// The damage that was found when the log was opened, in log order.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Where the next record goes.
    pub fn end(&self) -> LogPosition {
        LogPosition {
            sequence: self.segments.active(),
            offset: self.tail.offset,
        }
    }

    /// The disk.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// The disk, to inject faults. Changing files under a running log is the caller's problem.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Gives the disk back. Nothing is synced.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Refuses everything after a failure.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::new(ErrorKind::StorageFailed, "using the log")
                .with("reason", "an earlier failure was final"));
        }
        Ok(())
    }

    /// Turns a disk's failure into the log's: full is passing, all else is final.
    pub(crate) fn failed(&mut self, operation: &str, error: &DiskError) -> Error {
        let kind = if error.kind == DiskErrorKind::Full {
            ErrorKind::StorageFull
        } else {
            self.poisoned = true;
            ErrorKind::StorageFailed
        };
        Error::new(kind, operation).with("disk", error)
    }

    /// A failure after which the log cannot know what is on disk, whatever its kind.
    pub(crate) fn failed_for_good(&mut self, operation: &str, error: &DiskError) -> Error {
        self.poisoned = true;
        Error::new(ErrorKind::StorageFailed, operation).with("disk", error)
    }

    /// One `fdatasync` for each segment written since the last one: normally one.
    pub(crate) fn sync_log(&mut self) -> Result<(), Error> {
        if planted(Bug::SyncSkipped) {
            self.dirty.clear();
        }
        for index in 0..self.dirty.len() {
            if let Some(file) = self.dirty.get(index).copied()
                && let Err(error) = self.disk.sync_data(file)
                && !planted(Bug::FailedSyncIgnored)
            {
                return Err(self.failed_for_good("syncing the log", &error));
            }
            self.counters.syncs += 1;
        }
        self.dirty.clear();
        self.synced.burst = self.tail.burst;
        self.synced.upto = self.end();
        self.evacuation_synced()
    }
}

impl<D: Disk> LogStore for SegmentLog<D> {
    fn write(&mut self, burst: &[GroupLogOp]) -> Result<(), Error> {
        self.check()?;
        plan::validate(&self.index, &self.options, burst)?;
        if burst.is_empty() {
            return Ok(());
        }
        self.reclaim_overdue()?;
        let purpose = Purpose {
            housekeeping: plan::frees_space(burst),
            synced_next: burst.iter().any(|op| op.sync),
        };
        let mut attempts = self.segments.live.len();
        loop {
            // Emptying a segment takes operation numbers, so they are given out anew each time.
            let drafts = plan::drafts(burst, self.tail.order);
            if self.should_recycle_first(&drafts) && self.reclaim_oldest()? {
                continue;
            }
            match self.append(&drafts, purpose) {
                Err(full) if *full.kind() == ErrorKind::StorageFull => {
                    attempts = attempts.saturating_sub(1);
                    if attempts == 0 || !self.can_reclaim() || !self.reclaim_oldest()? {
                        if planted(Bug::FullCountsAsWritten) {
                            return Ok(());
                        }
                        return Err(full);
                    }
                }
                written => break written?,
            }
        }
        self.apply(burst);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.check()?;
        self.sync_log()
    }

    fn read(
        &mut self,
        group: GroupId,
        stream: StreamId,
        from: Lsn,
        bytes_max: usize,
    ) -> Result<LogSlice, Error> {
        self.check()?;
        self.read_entries(group, stream, from, bytes_max)
    }

    fn maintain(&mut self) -> Result<bool, Error> {
        self.prepare_step(MAINTENANCE_BYTES)
    }

    fn set_retention(&mut self, group: GroupId, bytes: u64) {
        let kept = self.options.kept(bytes);
        let segments = &mut self.segments;
        let group = self.index.group_mut(group);
        group.kept = kept;
        for stream in group.streams.values_mut() {
            stream.trim(kept, &mut |place| segments.kill(place));
        }
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.synced.stated == self.synced.upto {
            return Ok(());
        }
        self.append(&[], Purpose::HOUSEKEEPING)?;
        self.sync_log()?;
        // The header says it of all but itself.
        self.synced.stated = self.synced.upto;
        Ok(())
    }

    fn recovered(&self) -> &BTreeMap<GroupId, RecoveredGroup> {
        &self.recovered
    }

    fn recover(&mut self, group: GroupId) -> Result<RecoveredGroup, Error> {
        self.check()?;
        self.sync_log()?;
        Ok(self.group_now(group))
    }

    fn bytes_on_disk(&self) -> u64 {
        self.segments.bytes()
    }
}
