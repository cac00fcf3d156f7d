//! Changes that an engine makes in one atomic step.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Applied;

/// The three spaces of a replica's state. They are written in one atomic batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Space {
    /// The keys of clients. In snapshots and digests.
    Data = 0,
    /// What the replicas agree on beside the data: dedup sessions, epoch history, sequences,
    /// expiry index. In snapshots and digests.
    Replicated = 1,
    /// What belongs to this node: votes, ceilings, hints, caches. In neither.
    Local = 2,
}

impl Space {
    /// All spaces.
    pub const ALL: [Self; 3] = [Self::Data, Self::Replicated, Self::Local];
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange<'a> {
    /// Where.
    pub space: Space,
    /// Which key.
    pub key: Cow<'a, [u8]>,
    /// The new bytes (an encoded [`Cell`](crate::Cell) in the data space), or `None` to remove it.
    pub value: Option<Cow<'a, [u8]>>,
}

/// Changes that take effect together, with the position they bring the engine to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch<'a> {
    /// The changes, in order; a later change of a key wins.
    pub changes: Vec<StateChange<'a>>,
    /// What the engine's [`applied`](super::StorageEngine::applied) is afterwards.
    pub applied: Applied,
}

impl<'a> WriteBatch<'a> {
    /// An empty batch that brings the engine to `applied`.
    pub fn new(applied: Applied) -> Self {
        Self {
            changes: Vec::new(),
            applied,
        }
    }

    /// Adds a change with borrowed bytes.
    pub fn set(&mut self, space: Space, key: &'a [u8], value: &'a [u8]) {
        let (key, value) = (Cow::Borrowed(key), Some(Cow::Borrowed(value)));
        self.changes.push(StateChange { space, key, value });
    }

    /// Adds a removal with a borrowed key.
    pub fn remove(&mut self, space: Space, key: &'a [u8]) {
        self.changes.push(StateChange {
            space,
            key: Cow::Borrowed(key),
            value: None,
        });
    }
}
