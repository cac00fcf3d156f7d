//! What a replica knows when it starts.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Applied, Descriptor, Entry, GroupId, Incarnation, InstanceGen, NodeId, Now, RecoveredGroup,
};

/// What a replica knows when it starts. All of it comes from its own disk and the catalogue.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The group.
    pub group: GroupId,
    /// Its descriptor.
    pub descriptor: Arc<Descriptor>,
    /// This node.
    pub me: NodeId,
    /// This node's disk.
    pub incarnation: Incarnation,
    /// This boot.
    pub instance: InstanceGen,
    /// The present.
    pub now: Now,
    /// Seed for jitter; differs between boots.
    pub seed: u64,
    /// Hard state and extent of the log.
    pub log: &'a RecoveredGroup,
    /// The log's newest entries, oldest first, reaching back to the engine's position: what must
    /// be applied again, and what peers may ask for.
    pub tail: Vec<Entry>,
    /// The stream of [discarded writes](crate::discards), oldest entry first.
    pub discards: Vec<Entry>,
    /// How far the engine's state goes, with the protocol's own bytes from that moment.
    pub applied: &'a Applied,
}

impl Boot<'_> {
    /// The hard state that this replica wrote last; empty on a fresh disk.
    pub fn hard_state(&self) -> &Bytes {
        &self.log.hard_state
    }
}
