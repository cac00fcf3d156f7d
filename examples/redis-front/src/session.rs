//! What a connection remembers from one command to the next.

use std::collections::BTreeMap;

use bytes::BytesMut;
use repertoire::core::{Ack, EntryId, NodeId};

use crate::function::Watched;
use crate::resp::Version;

/// Commands between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Encoded for the function at the leader.
    pub(crate) commands: BytesMut,
    pub(crate) count: usize,
    /// A command could not be queued: `EXEC` will refuse.
    pub(crate) is_broken: bool,
}

/// What a connection remembers.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) database: usize,
    pub(crate) queue: Option<Queue>,
    /// Keys of `watched_in` that must stay as they are until `EXEC`.
    pub(crate) watched: Vec<Watched>,
    pub(crate) watched_in: usize,
    /// The follower that answers reads, after `READONLY`.
    pub(crate) follower: Option<NodeId>,
    /// The last write in each database.
    pub(crate) written: BTreeMap<usize, Ack>,
    /// Nothing more is read from the client.
    pub(crate) is_closing: bool,
}

impl Session {
    /// A write was acknowledged.
    pub(crate) fn wrote(&mut self, ack: Ack) {
        self.written.insert(self.database, ack);
    }

    /// Who answers reads: a follower that has seen this session's writes, or nothing for the leader.
    pub(crate) fn reads_at(&self) -> Option<(NodeId, EntryId)> {
        let seen = self.written.get(&self.database);
        let seen = seen.map_or(EntryId::ZERO, |ack| ack.position);
        self.follower.map(|node| (node, seen))
    }

    /// Begins anew, under the same number.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            id: self.id,
            ..Self::default()
        };
    }
}
