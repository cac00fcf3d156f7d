//! What all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use repertoire::core::{Error, NodeId};
use repertoire_client::{Client, Keyspace};

use crate::cursors::Cursors;

/// Counters for `INFO`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: AtomicUsize,
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) commands: AtomicU64,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Front {
    client: Client,
    keyspaces: Vec<Keyspace>,
    /// The node that leads every keyspace.
    pub(crate) leader: NodeId,
    /// The nodes that follow it.
    pub(crate) followers: Vec<NodeId>,
    /// How writes are acknowledged, in words.
    pub(crate) promise: String,
    pub(crate) counters: Counters,
    pub(crate) cursors: Mutex<Cursors>,
    pub(crate) started: Instant,
    stamps: AtomicU64,
}

impl Front {
    /// The databases, in the order of their numbers, over a client.
    pub(crate) fn new(
        client: Client,
        keyspaces: Vec<Keyspace>,
        nodes: impl Iterator<Item = NodeId>,
        promise: String,
    ) -> Arc<Self> {
        let mut nodes = nodes;
        let leader = nodes.next().unwrap_or_default();
        // Where the stamps begin differs from one start to the next.
        let begin = repertoire::runtime::clock::now();
        let begin = begin.mono.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (begin.wall.0 << 20);
        Arc::new(Self {
            client,
            keyspaces,
            leader,
            followers: nodes.collect(),
            promise,
            counters: Counters::default(),
            cursors: Mutex::default(),
            started: Instant::now(),
            stamps: AtomicU64::new(begin),
        })
    }

    /// How many databases there are.
    pub(crate) fn databases(&self) -> usize {
        self.keyspaces.len()
    }

    /// A database's keyspace.
    pub(crate) fn keyspace(&self, database: usize) -> Option<&Keyspace> {
        self.keyspaces.get(database)
    }

    /// Marks a write as another one than all before.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::Relaxed)
    }

    /// How the leader is.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn status(&self) -> Result<serde_json::Value, Error> {
        self.client.status(self.leader).await
    }
}
