//! How far a log reaches, and which leadership made which part: the harness' own account.

use repertoire_core::{EntryId, LogOp};

/// The extent of one replica's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Covered by an installed snapshot: whatever lies below is held.
    base: u64,
    last: u64,
    /// Epoch and first LSN of each part, ascending.
    runs: Vec<(u64, u64)>,
}

impl Extent {
    /// Takes an operation over.
    pub(crate) fn apply(&mut self, op: &LogOp) {
        match op {
            LogOp::Append { entry, .. } => {
                if self.runs.last().map(|run| run.0) != Some(entry.epoch.0) {
                    self.runs.push((entry.epoch.0, entry.first.0));
                }
                self.last = entry.last_lsn().0;
            }
            LogOp::Truncate { last, .. } => self.truncate(last.0),
            LogOp::Reset { base, .. } => self.reset(*base),
            LogOp::HardState(_) | LogOp::Checkpoint { .. } | LogOp::Repaired => {}
        }
    }

    fn truncate(&mut self, last: u64) {
        self.last = self.last.min(last);
        // What is cut off below a snapshot's position is held no more, whatever the snapshot held.
        self.base = self.base.min(last);
        self.runs.retain(|run| run.1 <= last);
    }

    /// Starts anew behind `base`.
    pub(crate) fn reset(&mut self, base: EntryId) {
        self.runs.clear();
        self.runs.push((base.epoch.0, base.lsn.0));
        (self.base, self.last) = (base.lsn.0, base.lsn.0);
    }

    /// Recovery found the log to end with `last`: at a place where it was before, or nobody knows what it
    /// holds below.
    pub(crate) fn fall_back(&mut self, last: EntryId) {
        let was_there = (self.base..=self.last).contains(&last.lsn.0)
            && last.lsn.0 > 0
            && self.epoch_at(last.lsn.0) == last.epoch.0;
        if was_there {
            self.truncate(last.lsn.0);
        } else {
            self.reset(last);
        }
    }

    /// Whether the record of that name is held, in the log or in the snapshot below it.
    pub(crate) fn holds(&self, id: EntryId) -> bool {
        id.lsn.0 <= self.base || (id.lsn.0 <= self.last && self.epoch_at(id.lsn.0) == id.epoch.0)
    }

    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The epoch of the newest record.
    pub(crate) fn last_epoch(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.0)
    }

    pub(crate) fn epoch_at(&self, lsn: u64) -> u64 {
        let run = self.runs.iter().rev().find(|run| run.1 <= lsn);
        run.map_or(0, |run| run.0)
    }

    /// Cuts back to what recovery found, after that was judged.
    pub(crate) fn recovered(&mut self, last: u64) {
        self.truncate(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repertoire_core::{Entry, LeaderEpoch, Lsn, StreamId};

    fn append(extent: &mut Extent, epoch: u64, first: u64, count: u32) {
        let entry = Entry {
            epoch: LeaderEpoch(epoch),
            first: Lsn(first),
            count,
            ..Entry::default()
        };
        let stream = StreamId(0);
        extent.apply(&LogOp::Append { stream, entry });
    }

    #[test]
    fn a_record_is_held_under_the_epoch_that_made_it() {
        let mut extent = Extent::default();
        append(&mut extent, 1, 1, 5);
        append(&mut extent, 2, 6, 2);
        let at = |epoch, lsn| EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
        assert!(extent.holds(at(1, 5)) && extent.holds(at(2, 7)));
        assert!(!extent.holds(at(1, 6)) && !extent.holds(at(2, 8)));
        extent.apply(&LogOp::Truncate {
            stream: StreamId(0),
            last: Lsn(5),
        });
        append(&mut extent, 3, 6, 1);
        assert!(extent.holds(at(3, 6)) && !extent.holds(at(2, 6)));
    }
}
