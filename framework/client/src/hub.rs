//! Everything that a client has under way: a state machine without I/O. The driver's tasks call it
//! under a lock, batch by batch, and perform what it asks for.

mod admin;
mod expiry;
mod failures;
mod gather;
mod groups;
mod links;
mod settle;
mod spans;
mod submit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use repertoire_core::{ConfigEpoch, Descriptor, Error, GroupId, KeyspaceId, NodeId};
use tokio::time::Instant;

use crate::completion::Pipes;
use crate::random::Random;
use crate::reads::{ReadId, ReadTable};

use groups::Group;
use links::Link;

pub(crate) use admin::Ask;
pub(crate) use submit::{NewRead, NewWrite};

/// Most writes of one session between its oldest unsettled one and its newest. Half of what the
/// nodes remember, because they learn late what is settled.
pub(crate) const SPAN_MAX: usize = repertoire_core::WINDOW_MAX / 2;

/// See the module's documentation.
pub(crate) struct Hub {
    pub(crate) pipes: Pipes,
    groups: BTreeMap<GroupId, Group>,
    /// Groups with writes to be sent.
    ready: BTreeSet<GroupId>,
    links: BTreeMap<NodeId, Link>,
    reads: ReadTable,
    /// Reads to be sent.
    ready_reads: Vec<ReadId>,
    /// Reads to be sent later.
    paused_reads: Vec<(Instant, ReadId)>,
    descriptors: BTreeMap<KeyspaceId, Arc<Descriptor>>,
    /// Epochs in force, where the descriptor at hand is older or missing.
    newer_epochs: BTreeMap<KeyspaceId, ConfigEpoch>,
    /// Keyspaces whose descriptors must be fetched.
    stale: BTreeSet<KeyspaceId>,
    /// Bytes of everything that waits or is under way.
    held: usize,
    held_max: usize,
    /// Bytes that may be under way on one connection, whatever the node grants.
    window: usize,
    /// No deadline and no pause ends earlier.
    earliest: Option<Instant>,
    /// The newest failure that was not reported, for errors that say why a deadline passed.
    trouble: Option<Error>,
    random: Random,
    last_tag: u64,
    last_generation: u64,
    is_closed: bool,
    /// Bytes were freed since the driver last looked.
    has_room: bool,
    /// When the keeper looks at the clock next.
    wake_at: Option<Instant>,
    /// The keeper must look earlier than it means to.
    alarm: bool,
}

impl Hub {
    /// A hub that may hold `held_max` bytes, and `window` bytes under way per connection.
    pub(crate) fn new(held_max: usize, window: usize) -> Self {
        Self {
            pipes: Pipes::default(),
            groups: BTreeMap::new(),
            ready: BTreeSet::new(),
            links: BTreeMap::new(),
            reads: ReadTable::default(),
            ready_reads: Vec::new(),
            paused_reads: Vec::new(),
            descriptors: BTreeMap::new(),
            newer_epochs: BTreeMap::new(),
            stale: BTreeSet::new(),
            held: 0,
            held_max,
            window,
            earliest: None,
            trouble: None,
            random: Random::new(),
            last_tag: 0,
            last_generation: 0,
            is_closed: false,
            has_room: false,
            wake_at: None,
            alarm: false,
        }
    }

    /// The descriptor of a keyspace, if it was resolved.
    pub(crate) fn descriptor(&self, id: KeyspaceId) -> Option<Arc<Descriptor>> {
        self.descriptors.get(&id).cloned()
    }

    /// Takes a descriptor over.
    pub(crate) fn learn(&mut self, descriptor: Arc<Descriptor>) {
        let id = descriptor.id;
        self.stale.remove(&id);
        if self
            .newer_epochs
            .get(&id)
            .is_some_and(|epoch| *epoch <= descriptor.config_epoch)
        {
            self.newer_epochs.remove(&id);
        }
        for group in self
            .groups
            .values_mut()
            .filter(|group| group.id.keyspace == id)
        {
            group.refresh(&descriptor);
        }
        self.descriptors.insert(id, descriptor);
    }

    /// The epoch to put on requests for a keyspace.
    fn config_epoch(&self, id: KeyspaceId) -> ConfigEpoch {
        let known = self
            .descriptors
            .get(&id)
            .map(|descriptor| descriptor.config_epoch);
        let newer = self.newer_epochs.get(&id).copied();
        newer.max(known).unwrap_or(ConfigEpoch(1))
    }

    /// Ends everything: waiting callers hear `ShuttingDown`.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.alarm = true;
        self.end_everything();
        self.links.values().for_each(Link::wake);
    }

    /// Whether [`close`](Self::close) was called.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether places were freed since the last call.
    pub(crate) const fn take_room(&mut self) -> bool {
        std::mem::replace(&mut self.has_room, false)
    }

    /// Whether the keeper must look now; asked after every change.
    pub(crate) const fn take_alarm(&mut self) -> bool {
        std::mem::replace(&mut self.alarm, false)
    }

    fn watch(&mut self, at: Instant) {
        if self.wake_at.is_none_or(|wake_at| at < wake_at) {
            self.wake_at = Some(at);
            self.alarm = true;
        }
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
    }

    fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        self.has_room = true;
    }
}
