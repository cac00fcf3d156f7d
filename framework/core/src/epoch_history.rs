//! Which leadership made which part of the log.

use serde::{Deserialize, Serialize};

use crate::{EntryId, LeaderEpoch, Lsn};

/// Whether a replica's history contains a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Applied, and made by the epoch that the position names.
    Contained,
    /// Not applied yet: waiting may help.
    NotYet,
    /// This place in the log holds (or can only hold) a record of another leadership: the position
    /// was discarded by a failover, and waiting never helps.
    Discarded,
}

/// Epoch → first LSN of that epoch, in the order of the log.
///
/// Lives in the `replicated` space: it travels with snapshots and counts in digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochHistory {
    starts: Vec<(LeaderEpoch, Lsn)>,
}

impl EpochHistory {
    /// Notes that the record at `first` was made in `epoch`. Call it for each appended entry, in
    /// the order of the log; a repeated epoch changes nothing.
    ///
    /// # Panics
    /// When `epoch` or `first` goes back: the log itself would be out of order.
    pub fn note(&mut self, epoch: LeaderEpoch, first: Lsn) {
        if let Some((last_epoch, last_first)) = self.starts.last() {
            if *last_epoch == epoch {
                return;
            }
            assert!(
                *last_epoch < epoch,
                "epoch history goes back: {epoch} after {last_epoch}"
            );
            assert!(*last_first < first, "epoch history overlaps at {first}");
        }
        self.starts.push((epoch, first));
    }

    /// Forgets everything after `last`: the suffix was truncated.
    pub fn truncate(&mut self, last: Lsn) {
        self.starts.retain(|(_, first)| *first <= last);
    }

    /// The epoch that made the record at `lsn`, given that the log reaches that far.
    pub fn epoch_at(&self, lsn: Lsn) -> LeaderEpoch {
        let made = self.starts.iter().rev().find(|(_, first)| *first <= lsn);
        made.map_or(LeaderEpoch::NONE, |(epoch, _)| *epoch)
    }

    /// Whether a replica with this history, applied up to `applied`, contains `position`.
    ///
    /// ```
    /// use repertoire_core::{Containment, EntryId, EpochHistory, LeaderEpoch, Lsn};
    /// let mut history = EpochHistory::default();
    /// history.note(LeaderEpoch(2), Lsn(1));
    /// history.note(LeaderEpoch(3), Lsn(11)); // epoch 3 took over after record 10
    /// let at = |epoch, lsn| EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
    /// assert_eq!(history.contains(at(2, 10), Lsn(12)), Containment::Contained);
    /// assert_eq!(history.contains(at(2, 12), Lsn(12)), Containment::Discarded);
    /// assert_eq!(history.contains(at(3, 13), Lsn(12)), Containment::NotYet);
    /// ```
    pub fn contains(&self, position: EntryId, applied: Lsn) -> Containment {
        if position.lsn == Lsn::ZERO {
            return Containment::Contained;
        }
        let next = self
            .starts
            .iter()
            .find(|(epoch, _)| *epoch > position.epoch);
        if next.is_some_and(|(_, first)| *first <= position.lsn) {
            return Containment::Discarded;
        }
        if position.lsn > applied {
            return Containment::NotYet;
        }
        if self.epoch_at(position.lsn) == position.epoch {
            Containment::Contained
        } else {
            Containment::Discarded
        }
    }

    /// The first of `positions` that this history, applied up to `applied`, does not contain, and
    /// why; a discarded one before one that may still come.
    pub fn missing(&self, positions: &[EntryId], applied: Lsn) -> Option<(EntryId, Containment)> {
        let held = |id: &EntryId| (*id, self.contains(*id, applied));
        let missing = || {
            positions
                .iter()
                .map(held)
                .filter(|(_, c)| *c != Containment::Contained)
        };
        let discarded = missing().find(|(_, c)| *c == Containment::Discarded);
        discarded.or_else(|| missing().next())
    }

    /// The last LSN of `epoch` in this history, when a later epoch follows it.
    pub fn end_of(&self, epoch: LeaderEpoch) -> Option<Lsn> {
        let next = self.starts.iter().find(|(other, _)| *other > epoch)?;
        Some(Lsn(next.1.0.saturating_sub(1)))
    }

    /// The epochs with their first positions, oldest first.
    pub fn starts(&self) -> &[(LeaderEpoch, Lsn)] {
        &self.starts
    }
}
