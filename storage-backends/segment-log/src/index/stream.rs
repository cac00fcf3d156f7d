//! The entries of one stream, by LSN.

use std::collections::VecDeque;

use repertoire_core::{EntryId, LeaderEpoch, Lsn};

use super::Place;
use crate::format::{BURST_BYTES, SEGMENT_HEADER_BYTES};

/// Segments are counted from one, so no record lies in this one.
const LOST: u64 = 0;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub first: Lsn,
    pub count: u32,
    pub epoch: LeaderEpoch,
    pub place: Place,
    /// Bytes that it may take of the log. Set when a stream takes it in.
    pub cost: u32,
}

impl Slot {
    pub(crate) fn last(&self) -> EntryId {
        let records = u64::from(self.count).saturating_sub(1);
        EntryId::new(self.epoch, self.first.plus(records))
    }
}

/// One stream. Entries are in order and, unless the log is damaged, without holes.
#[derive(Debug, Default)]
pub(crate) struct StreamIndex {
    base: EntryId,
    checkpoint: EntryId,
    slots: VecDeque<Slot>,
    /// How many entries at the front the checkpoint covers.
    behind: usize,
    /// What all entries cost.
    cost: u64,
}

impl StreamIndex {
    /// The record before the first entry.
    pub(crate) fn base(&self) -> EntryId {
        self.base
    }

    /// The last record; the base when there is no entry.
    pub(crate) fn last(&self) -> EntryId {
        self.slots.back().map_or(self.base, Slot::last)
    }

    pub(crate) fn checkpoint(&self) -> EntryId {
        self.checkpoint
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The entries from the one that holds `from`, or that follows it when it is missing.
    pub(crate) fn slots_from(&self, from: Lsn) -> impl Iterator<Item = &Slot> {
        let start = self.slots.partition_point(|slot| slot.last().lsn < from);
        self.slots.range(start..)
    }

    /// Whether `last` is where an entry ends, or the base.
    pub(crate) fn ends_at(&self, last: Lsn) -> bool {
        last == self.base.lsn
            || self
                .slots_from(last)
                .next()
                .is_some_and(|slot| slot.last().lsn == last)
    }

    /// Whether entries are missing between base and last.
    pub(crate) fn has_holes(&self) -> bool {
        let mut last = self.base.lsn;
        self.slots.iter().any(|slot| {
            let hole = slot.first != last.next();
            last = slot.last().lsn;
            hole
        })
    }

    /// Adds an entry. Entries that it overlaps are dropped: only a log that lost a truncation to
    /// damage has any.
    pub(crate) fn append(&mut self, slot: Slot, dead: &mut impl FnMut(Place)) {
        if slot.first <= self.last().lsn {
            self.truncate(Lsn(slot.first.0.saturating_sub(1)), dead);
        }
        let cost = self.cost_of(slot.place);
        self.cost += u64::from(cost);
        self.slots.push_back(Slot { cost, ..slot });
        self.raise_checkpoint(self.checkpoint);
    }

    /// What an entry may take of the log: its record, a burst's header, and when it enters a segment
    /// that one's header, and the end of the one before, where it did not fit.
    fn cost_of(&self, place: Place) -> u32 {
        let own = u32::try_from(place.bytes()).unwrap_or(u32::MAX / 4);
        let before = self.slots.back().map(|slot| slot.place.sequence);
        let entering = if before == Some(place.sequence) {
            0
        } else {
            SEGMENT_HEADER_BYTES + own
        };
        own + BURST_BYTES + entering
    }

    /// Drops the entries that end after `last`.
    pub(crate) fn truncate(&mut self, last: Lsn, dead: &mut impl FnMut(Place)) {
        while let Some(slot) = self.slots.pop_back_if(|slot| slot.last().lsn > last) {
            dead(slot.place);
            self.cost -= u64::from(slot.cost);
            self.behind = self.behind.min(self.slots.len());
        }
        if self.base.lsn > last {
            self.base = EntryId::new(LeaderEpoch(0), last);
        }
    }

    /// Moves the checkpoint forward; trims nothing.
    pub(crate) fn raise_checkpoint(&mut self, checkpoint: EntryId) {
        if checkpoint.lsn > self.checkpoint.lsn {
            self.checkpoint = checkpoint;
        }
        while let Some(slot) = self.slots.get(self.behind) {
            if slot.last().lsn > self.checkpoint.lsn {
                break;
            }
            self.behind += 1;
        }
    }

    /// Drops entries behind the checkpoint while the stream costs more than `kept`. What recovery needs
    /// and what followers may still need are both the end of one log, so they do not add up.
    pub(crate) fn trim(&mut self, kept: u64, dead: &mut impl FnMut(Place)) {
        while self.behind > 0 && self.cost > kept {
            let Some(slot) = self.slots.pop_front() else {
                break;
            };
            self.behind -= 1;
            self.cost -= u64::from(slot.cost);
            self.base = slot.last();
            dead(slot.place);
        }
    }

    /// Forgets everything: the stream goes on after `base`.
    pub(crate) fn reset(&mut self, base: EntryId, dead: &mut impl FnMut(Place)) {
        self.slots.drain(..).for_each(|slot| dead(slot.place));
        *self = Self {
            base,
            checkpoint: base,
            ..Self::default()
        };
    }

    /// Takes over a stored state: drops what lies at or before its base, and after its last.
    pub(crate) fn restore(&mut self, base: EntryId, last: Lsn, checkpoint: EntryId) {
        self.truncate(last, &mut |_| ());
        while let Some(slot) = self.slots.pop_front_if(|slot| slot.last().lsn <= base.lsn) {
            self.cost -= u64::from(slot.cost);
        }
        self.base = base;
        self.checkpoint = checkpoint;
        self.behind = 0;
        self.raise_checkpoint(checkpoint);
    }

    /// The entry with this first LSN lies elsewhere now. `None`: its bytes are lost; it stays in
    /// the index so that the stream's end does not move.
    pub(crate) fn relocate(&mut self, first: Lsn, place: Option<Place>) {
        let index = self.slots.partition_point(|slot| slot.first < first);
        if let Some(slot) = self.slots.get_mut(index)
            && slot.first == first
        {
            let lost = Place {
                sequence: LOST,
                ..slot.place
            };
            slot.place = place.unwrap_or(lost);
        }
    }
}
