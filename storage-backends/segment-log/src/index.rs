//! Where everything of value lies: per group its hard state, per stream its entries.

mod stream;

use std::collections::BTreeMap;

use repertoire_core::{GroupId, StreamId};

use crate::format::record_len;

pub(crate) use stream::{Slot, StreamIndex};

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub sequence: u64,
    pub offset: u32,
    pub payload_len: u32,
    pub order: u64,
}

impl Place {
    /// Bytes that the record takes in its segment.
    pub(crate) fn bytes(&self) -> u64 {
        record_len(self.payload_len).into()
    }
}

/// One group.
#[derive(Debug, Default)]
pub(crate) struct GroupIndex {
    pub hard_state: Option<Place>,
    /// The record that says that the group is damaged; none when it is not.
    pub marker: Option<Place>,
    pub streams: BTreeMap<StreamId, StreamIndex>,
    /// Up to how many bytes of each stream to keep although a checkpoint covers them.
    pub kept: u64,
    /// The newest segment that is known to hold records of the group.
    pub noted: u64,
}

impl GroupIndex {
    /// The stream, made when it is new.
    pub(crate) fn stream_mut(&mut self, stream: StreamId) -> &mut StreamIndex {
        self.streams.entry(stream).or_default()
    }
}

/// All groups of a node.
#[derive(Debug, Default)]
pub(crate) struct Index {
    groups: BTreeMap<GroupId, GroupIndex>,
    /// The same for groups without a setting of their own.
    kept: u64,
}

impl Index {
    pub(crate) fn new(kept: u64) -> Self {
        Self {
            groups: BTreeMap::new(),
            kept,
        }
    }

    pub(crate) fn group(&self, group: GroupId) -> Option<&GroupIndex> {
        self.groups.get(&group)
    }

    pub(crate) fn stream(&self, group: GroupId, stream: StreamId) -> Option<&StreamIndex> {
        self.groups.get(&group)?.streams.get(&stream)
    }

    /// The group, made when it is new.
    pub(crate) fn group_mut(&mut self, group: GroupId) -> &mut GroupIndex {
        let kept = self.kept;
        self.groups.entry(group).or_insert_with(|| GroupIndex {
            kept,
            ..GroupIndex::default()
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (GroupId, &GroupIndex)> {
        self.groups.iter().map(|(id, group)| (*id, group))
    }

    /// Every place that holds something of value.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.groups.values().flat_map(|group| {
            let entries = group.streams.values().flat_map(StreamIndex::slots);
            let states = group.hard_state.iter().chain(&group.marker);
            states.copied().chain(entries.map(|slot| slot.place))
        })
    }
}
