//! What is copied out of a segment, and what is written in place of the rest.

use bytes::Bytes;
use repertoire_core::{Error, GroupId, Lsn, StreamId};

use super::Evacuation;
use crate::append::Purpose;
use crate::append::note;
use crate::format::{Draft, Kind, Prefix, StreamState};
use crate::index::{GroupIndex, Place};
use crate::{Disk, SegmentLog};

/// One record to write.
#[derive(Clone, Copy)]
enum Item {
    Entry(StreamId, Lsn, Place),
    HardState(Place),
    Marker(Place),
    State(StreamId, StreamState),
    /// A record of the group could not be read back.
    Damaged,
}

impl Item {
    fn source(&self) -> Option<Place> {
        match self {
            Self::Entry(_, _, place) | Self::HardState(place) | Self::Marker(place) => Some(*place),
            Self::State(..) | Self::Damaged => None,
        }
    }
}

struct Copy {
    group: GroupId,
    item: Item,
    body: Bytes,
}

impl<D: Disk> SegmentLog<D> {
    /// Copies about `budget` bytes and strikes the finished groups off the list.
    pub(super) fn copy_piece(
        &mut self,
        evacuation: &mut Evacuation,
        budget: u64,
    ) -> Result<(), Error> {
        let (items, finished) = self.choose(evacuation, budget);
        let copies = self.load(items);
        let drafts = self.copy_drafts(&copies);
        let written = self.counters.bytes_written;
        if !drafts.is_empty() {
            self.append(&drafts, Purpose::HOUSEKEEPING)?;
            self.relocate(&copies);
        }
        self.counters.bytes_copied += self.counters.bytes_written - written;
        let left = evacuation.groups.len() - finished;
        evacuation.groups.truncate(left);
        Ok(())
    }

    /// What to copy next, and how many groups are done with it.
    fn choose(&self, evacuation: &Evacuation, budget: u64) -> (Vec<(GroupId, Item)>, usize) {
        let mut items: Vec<(GroupId, Item)> = Vec::new();
        for group in &self.unmarked {
            items.push((*group, Item::Damaged));
        }
        let mut bytes = 0;
        for (finished, id) in evacuation.groups.iter().rev().enumerate() {
            let Some(group) = self.index.group(*id) else {
                continue;
            };
            for (stream, index) in &group.streams {
                for slot in index.slots() {
                    if slot.place.sequence != evacuation.sequence {
                        continue;
                    }
                    if bytes > 0 && bytes >= budget {
                        return (items, finished);
                    }
                    bytes += slot.place.bytes();
                    items.push((*id, Item::Entry(*stream, slot.first, slot.place)));
                }
            }
            items.extend(states(group, evacuation.sequence).map(|item| (*id, item)));
        }
        (items, evacuation.groups.len())
    }

    /// Reads the records. A damaged one is given up, and its group marked.
    fn load(&mut self, items: Vec<(GroupId, Item)>) -> Vec<Copy> {
        let mut copies = Vec::with_capacity(items.len());
        for (group, item) in items {
            let body = match item.source() {
                None => Bytes::new(),
                Some(place) => {
                    let Some(body) = self.read_record(place) else {
                        self.give_up(group, item, place);
                        let (item, body) = (Item::Damaged, Bytes::new());
                        copies.push(Copy { group, item, body });
                        continue;
                    };
                    body
                }
            };
            copies.push(Copy { group, item, body });
        }
        copies
    }

    fn give_up(&mut self, id: GroupId, item: Item, place: Place) {
        self.segments.kill(place);
        self.unmarked.push(id);
        let group = self.index.group_mut(id);
        match item {
            Item::Entry(stream, first, _) => {
                let stream = group.stream_mut(stream);
                stream.relocate(first, None);
            }
            Item::HardState(_) => group.hard_state = None,
            Item::Marker(_) => group.marker = None,
            Item::State(..) | Item::Damaged => {}
        }
    }

    /// Copies keep the number of their operation; new statements get new ones.
    fn copy_drafts<'a>(&self, copies: &'a [Copy]) -> Vec<Draft<'a>> {
        let mut fresh = self.tail.order..;
        let mut draft = |copy: &'a Copy| {
            let order = copy.item.source().map(|place| place.order);
            let order = order.or_else(|| fresh.next()).unwrap_or_default();
            let of = |kind, stream, position: Lsn, prefix| Draft {
                kind,
                group: copy.group,
                stream,
                position: position.0,
                order,
                prefix,
                body: &copy.body,
            };
            let whole = |kind| of(kind, StreamId::default(), Lsn::ZERO, Prefix::EMPTY);
            match &copy.item {
                Item::Entry(stream, first, _) => of(Kind::Append, *stream, *first, Prefix::EMPTY),
                Item::HardState(_) => whole(Kind::HardState),
                Item::Marker(_) | Item::Damaged => whole(Kind::Damaged),
                Item::State(stream, state) => {
                    of(Kind::StreamState, *stream, state.base.lsn, state.prefix())
                }
            }
        };
        copies.iter().map(&mut draft).collect()
    }

    fn relocate(&mut self, copies: &[Copy]) {
        let places = std::mem::take(&mut self.places);
        for (copy, place) in copies.iter().zip(&places) {
            let group = self.index.group_mut(copy.group);
            note(group, copy.group, place.sequence, &mut self.segments);
            if let Item::Marker(source) = copy.item
                && group.marker != Some(source)
            {
                // Damage found in this very segment was marked anew, and this mark is dead already.
                continue;
            }
            if let Some(source) = copy.item.source() {
                self.segments.kill(source);
            }
            match copy.item {
                Item::Entry(stream, first, _) => {
                    let stream = group.stream_mut(stream);
                    stream.relocate(first, Some(*place));
                }
                Item::HardState(_) => group.hard_state = Some(*place),
                Item::Marker(_) => group.marker = Some(*place),
                Item::State(..) => continue,
                Item::Damaged => {
                    if let Some(old) = group.marker.replace(*place) {
                        self.segments.kill(old);
                    }
                    self.unmarked.retain(|unmarked| *unmarked != copy.group);
                }
            }
            self.segments.revive(*place);
        }
        self.places = places;
    }
}

/// The records besides entries that must outlive the segment.
fn states(group: &GroupIndex, sequence: u64) -> impl Iterator<Item = Item> + '_ {
    let here = move |place: &&Place| place.sequence == sequence;
    let hard_state = group.hard_state.iter().filter(here);
    let marker = group.marker.iter().filter(here);
    let streams = group.streams.iter().map(|(stream, index)| {
        let state = StreamState {
            base: index.base(),
            last: index.last(),
            checkpoint: index.checkpoint(),
        };
        Item::State(*stream, state)
    });
    hard_state
        .map(|place| Item::HardState(*place))
        .chain(marker.map(|place| Item::Marker(*place)))
        .chain(streams)
}
