//! Carrying the records that count into the index.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{GroupId, RecoveredGroup, RecoveredStream, StreamId};

use super::judge::Verdict;
use crate::format::{RecordHead, Statement};
use crate::index::{GroupIndex, Place, Slot, StreamIndex};
use crate::{Damage, Disk, LogPosition, SegmentLog};

/// What replay learns of a group besides its index.
#[derive(Default)]
struct Facts {
    hard_state: Bytes,
    /// Where it was last stated to be repaired.
    repaired: LogPosition,
    damaged: bool,
}

impl<D: Disk> SegmentLog<D> {
    /// Fills the index and `recovered`. Operations take effect in the order of their numbers, for
    /// copies lie behind what came after them; of a record and its copy the copy counts.
    pub(super) fn replay(&mut self, verdict: Verdict) {
        for (head, _) in &verdict.records {
            let group = self.index.group_mut(head.group);
            crate::append::note(group, head.group, head.sequence, &mut self.segments);
        }
        for group in verdict.damage.iter().filter_map(|damage| damage.group) {
            // Its damaged record may be all that there is of it.
            self.index.group_mut(group);
        }
        let mut records = verdict.records;
        // Stable, so that of equal numbers the later record stays behind the earlier one.
        records.sort_by_key(|(head, _)| head.order);
        let mut facts: BTreeMap<GroupId, Facts> = BTreeMap::new();
        let mut records = records.into_iter().peekable();
        while let Some((head, statement)) = records.next() {
            if records
                .peek()
                .is_some_and(|(next, _)| next.order == head.order)
            {
                continue;
            }
            let group = self.index.group_mut(head.group);
            replay_one(
                group,
                facts.entry(head.group).or_default(),
                &head,
                statement,
            );
        }
        self.damage = verdict.damage;
        for (id, group) in self.index.iter() {
            let fact = facts.entry(id).or_default();
            let lost = |damage: &Damage| {
                damage.at > fact.repaired && damage.group.is_none_or(|group| group == id)
            };
            fact.damaged |= self.options.distrusted
                || self.damage.iter().any(lost)
                || group.streams.values().any(StreamIndex::has_holes);
            if fact.damaged && group.marker.is_none() {
                self.unmarked.push(id);
            }
            self.recovered.insert(id, recovered(group, fact));
        }
        for place in self.index.places() {
            self.segments.revive(place);
        }
    }
}

impl<D: Disk> SegmentLog<D> {
    /// What a recovery would find of a group.
    pub(crate) fn group_now(&mut self, id: GroupId) -> RecoveredGroup {
        let place = self.index.group(id).and_then(|group| group.hard_state);
        let hard_state = place.map(|place| self.read_record(place));
        let Some(group) = self.index.group(id) else {
            return RecoveredGroup::default();
        };
        let facts = Facts {
            damaged: group.marker.is_some()
                || self.unmarked.contains(&id)
                || hard_state == Some(None)
                || group.streams.values().any(StreamIndex::has_holes),
            hard_state: hard_state.flatten().unwrap_or_default(),
            repaired: LogPosition::default(),
        };
        recovered(group, &facts)
    }
}

fn replay_one(group: &mut GroupIndex, facts: &mut Facts, head: &RecordHead, what: Statement) {
    let place = Place {
        sequence: head.sequence,
        offset: head.offset,
        payload_len: head.payload_len,
        order: head.order,
    };
    let id = head.stream;
    let dead = &mut |_: Place| ();
    match what {
        Statement::Burst(_) => {}
        Statement::Append {
            first,
            count,
            epoch,
        } => {
            let slot = Slot {
                first,
                count,
                epoch,
                place,
                cost: 0,
            };
            group.stream_mut(id).append(slot, dead);
        }
        Statement::Truncate(last) => group.stream_mut(id).truncate(last, dead),
        Statement::HardState(state) => {
            group.hard_state = Some(place);
            facts.hard_state = state;
        }
        Statement::Checkpoint(upto) => group.stream_mut(id).raise_checkpoint(upto),
        Statement::Reset(base) => group.stream_mut(id).reset(base, dead),
        Statement::StreamState(state) => {
            group
                .stream_mut(id)
                .restore(state.base, state.last.lsn, state.checkpoint);
        }
        Statement::Damaged => {
            group.marker = Some(place);
            facts.damaged = true;
        }
        Statement::Repaired => {
            group.marker = None;
            facts.damaged = false;
            facts.repaired = LogPosition {
                sequence: head.sequence,
                offset: head.offset,
            };
        }
    }
}

fn recovered(group: &GroupIndex, facts: &Facts) -> RecoveredGroup {
    let stream = |(id, index): (&StreamId, &StreamIndex)| {
        let stream = RecoveredStream {
            base: index.base(),
            last: index.last(),
            checkpoint: index.checkpoint(),
        };
        (*id, stream)
    };
    RecoveredGroup {
        hard_state: facts.hard_state.clone(),
        streams: group.streams.iter().map(stream).collect(),
        damaged: facts.damaged,
    }
}
