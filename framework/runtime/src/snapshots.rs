//! Snapshot files: the memory engine's durable state, and what peers are sent.

mod file;
mod store;
#[cfg(test)]
mod store_test;

pub(crate) use file::{SnapshotFile, SnapshotWriter};
pub(crate) use store::SnapshotStore;

use repertoire_core::{EntryId, Error, GroupId, InstanceGen, LoadedState, NodeId};

/// What the Storage actor tells the Node actor.
pub(crate) enum SnapshotNews {
    /// A snapshot that this replica made is durable.
    Durable {
        /// The replica.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// What it covers.
        position: EntryId,
    },
    /// A snapshot from a peer is complete, durable and loaded; ready to be put in place.
    Loaded {
        /// The replica.
        group: GroupId,
        /// Who sent it.
        from: NodeId,
        /// The state; `None` for the engine when it was put in place on the storage thread.
        state: Box<LoadedState>,
    },
    /// A peer took a snapshot over, or the transfer failed.
    Sent {
        /// The replica.
        group: GroupId,
        /// The peer.
        to: NodeId,
        /// What it covers.
        position: Option<EntryId>,
    },
    /// A peer needs a snapshot and there is none that fits: make one.
    Needed {
        /// The replica.
        group: GroupId,
    },
    /// The newest snapshot here, if there is one, for a replica that is built anew.
    Reloaded {
        /// The replica.
        group: GroupId,
        /// The boot that waits for it.
        instance: InstanceGen,
        /// The state.
        state: Result<Option<Box<LoadedState>>, Error>,
    },
    /// A file could not be written or read.
    Failed {
        /// The replica.
        group: GroupId,
        /// Why.
        error: Error,
    },
}

impl std::fmt::Debug for SnapshotNews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Durable { .. } => "Durable",
            Self::Loaded { .. } => "Loaded",
            Self::Sent { .. } => "Sent",
            Self::Reloaded { .. } => "Reloaded",
            Self::Needed { .. } => "Needed",
            Self::Failed { .. } => "Failed",
        };
        f.write_str(name)
    }
}
