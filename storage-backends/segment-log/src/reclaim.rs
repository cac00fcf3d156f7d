//! Emptying the oldest segment, so that its file can be used again.
//!
//! Segments are freed strictly from the oldest: what kills a record (a truncation, a reset) is then
//! never gone before the record itself. What is still of value in the oldest segment is copied to
//! the end of the log, under its old operation number, so a slow stream pins only its own bytes.
//! A segment is used again only after two syncs: one for the copies, and one for a burst header
//! which states that the segment is empty.

mod copy;

use repertoire_core::{Error, ErrorKind, GroupId};

use crate::append::{Purpose, segments_needed};
use crate::format::Draft;
use crate::{Disk, SegmentLog};

/// Bytes copied in one burst when a write waits for them.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// A segment is cheap to empty when no more than this part of it is of value.
const CHEAP_SHARE: u32 = 16;

/// Files that are kept for use beyond the log itself: the next segment and the reserve.
const FILES_KEPT: usize = 2;

/// How far the oldest segment is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Records of value are left in it.
    Copying,
    /// All copies are written.
    Copied,
    /// The copies are synced.
    Synced,
    /// A burst header states that the segment is empty.
    Stated,
}

/// The oldest segment being emptied.
#[derive(Debug)]
pub(crate) struct Evacuation {
    sequence: u64,
    phase: Phase,
    /// Groups with records in the segment that were not looked at yet, the next one last.
    groups: Vec<GroupId>,
}

impl<D: Disk> SegmentLog<D> {
    /// Whether copying is worth while: the oldest segment is nearly empty, or more than a third of
    /// the log is dead and there are two segments more than its live records need.
    pub(crate) fn wants_evacuation(&self) -> bool {
        if let Some(evacuation) = &self.evacuation {
            return evacuation.phase == Phase::Copying;
        }
        self.has_sealed() && (self.oldest_is_cheap() || self.is_bloated(2))
    }

    /// Whether the oldest segment is being emptied or will be next, at little cost.
    pub(crate) fn is_recycling(&self) -> bool {
        self.evacuation.is_some() || (self.has_sealed() && self.oldest_is_cheap())
    }

    /// Whether to free the oldest segment before a burst that would otherwise have to wait for a new
    /// file all the same.
    pub(crate) fn should_recycle_first(&self, burst: &[Draft<'_>]) -> bool {
        let needed = segments_needed(self, burst);
        let there = self.segments.ready.len() + self.segments.spare.len();
        needed > 0 && there <= needed && self.is_recycling()
    }

    fn has_sealed(&self) -> bool {
        self.segments.live.len() > 1
    }

    fn oldest_is_dead(&self) -> bool {
        let oldest = self.segments.live.first_key_value();
        oldest.is_some_and(|(_, segment)| segment.live_bytes == 0)
    }

    /// Whether so little of value is left in the oldest segment that copying it costs next to nothing
    /// compared to the file: the few records of an idle group must not pin it.
    fn oldest_is_cheap(&self) -> bool {
        let oldest = self.segments.live.first_key_value();
        oldest.is_some_and(|(_, segment)| {
            segment.live_bytes <= u64::from(segment.file.size / CHEAP_SHARE)
        })
    }

    /// Whether the log takes more than 1.5 times its live bytes and `segments` segments.
    fn is_bloated(&self, segments: u64) -> bool {
        let live = self.segments.live_bytes;
        let slack = u64::from(self.options.segment_bytes) * segments;
        self.segments.log_bytes() > live + live / 2 + slack
    }

    /// Keeps the log bounded for a caller that leaves no time for `prepare_step`.
    pub(crate) fn reclaim_overdue(&mut self) -> Result<(), Error> {
        let mut attempts = self.segments.live.len();
        while attempts > 0 && self.has_sealed() && self.is_bloated(4) && self.reclaim_oldest()? {
            attempts -= 1;
        }
        Ok(())
    }

    /// Whether emptying segments would free at least one.
    pub(crate) fn can_reclaim(&self) -> bool {
        let floor = self.segments.live_bytes + 2 * u64::from(self.options.segment_bytes);
        self.has_sealed()
            && (self.evacuation.is_some()
                || self.oldest_is_dead()
                || self.segments.log_bytes() >= floor)
    }

    /// Empties and frees the oldest segment now. `false` when there is no space for the copies.
    pub(crate) fn reclaim_oldest(&mut self) -> Result<bool, Error> {
        loop {
            let phase = self.evacuation.as_ref().map(|e| e.phase);
            let done = match phase {
                None | Some(Phase::Copying) => self.evacuate_piece(PIECE_BYTES),
                Some(Phase::Copied) => self.sync_log(),
                Some(Phase::Synced) => self.append(&[], Purpose::HOUSEKEEPING),
                Some(Phase::Stated) => return self.sync_log().map(|()| true),
            };
            match done {
                Err(error) if *error.kind() == ErrorKind::StorageFull => return Ok(false),
                other => other?,
            }
        }
    }

    /// Starts or goes on emptying the oldest segment: copies about `budget` bytes in one burst.
    pub(crate) fn evacuate_piece(&mut self, budget: u64) -> Result<(), Error> {
        let sequence = self.segments.oldest();
        let mut evacuation = self.evacuation.take().unwrap_or_else(|| Evacuation {
            sequence,
            phase: Phase::Copying,
            groups: self.groups_of(sequence),
        });
        let copied = self.copy_piece(&mut evacuation, budget);
        if copied.is_ok() && evacuation.groups.is_empty() {
            evacuation.phase = Phase::Copied;
        }
        self.evacuation = Some(evacuation);
        copied
    }

    fn groups_of(&self, sequence: u64) -> Vec<GroupId> {
        let segment = self.segments.live.get(&sequence);
        let groups = segment.into_iter().flat_map(|segment| &segment.groups);
        groups.rev().copied().collect()
    }

    /// A burst header was written.
    pub(crate) fn evacuation_stated(&mut self) {
        if let Some(evacuation) = &mut self.evacuation
            && evacuation.phase == Phase::Synced
        {
            evacuation.phase = Phase::Stated;
        }
    }

    /// Everything written is synced.
    pub(crate) fn evacuation_synced(&mut self) -> Result<(), Error> {
        let Some(evacuation) = &mut self.evacuation else {
            return Ok(());
        };
        match evacuation.phase {
            Phase::Copying | Phase::Synced => Ok(()),
            Phase::Copied => {
                evacuation.phase = Phase::Synced;
                self.oldest = evacuation.sequence + 1;
                Ok(())
            }
            Phase::Stated => {
                let sequence = evacuation.sequence;
                self.evacuation = None;
                self.free(sequence)
            }
        }
    }

    fn free(&mut self, sequence: u64) -> Result<(), Error> {
        let Some(segment) = self.segments.live.remove(&sequence) else {
            return Ok(());
        };
        assert_eq!(
            segment.live_bytes, 0,
            "a freed segment holds nothing of value"
        );
        self.counters.segments_freed += 1;
        self.starved = false;
        let kept = self.segments.ready.len() + self.segments.spare.len();
        if segment.file.size == self.options.segment_bytes && kept < FILES_KEPT {
            self.segments.spare.push(segment.file);
            return Ok(());
        }
        // When the name comes back after a power loss, recovery takes the file for a spare one.
        let removed = self.disk.remove(&segment.file.name, segment.file.file);
        removed.map_err(|error| self.failed("removing a segment", &error))
    }
}
