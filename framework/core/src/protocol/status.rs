//! What a person or a test may know of a replica.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntryId, LeaderEpoch, Lsn, NodeId};

/// What a replica does in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Orders writes.
    Leader,
    /// Applies what a leader ordered.
    #[default]
    Follower,
    /// Takes requests on its own, without a leader.
    Peer,
}

/// The part of a [`Status`] that is always there, and costs nothing to ask for. `snapshot ≤ applied ≤
/// commit ≤ last` always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// What the replica does.
    pub role: Role,
    /// The leadership in force, as far as it knows.
    pub epoch: LeaderEpoch,
    /// The last record in its log.
    pub last: Lsn,
    /// The last record that cannot be lost under the configured acks.
    pub commit: Lsn,
    /// The last record that was handed to the engine.
    pub applied: Lsn,
    /// The last record that a durable snapshot covers.
    pub snapshot: Lsn,
}

impl From<&Status> for Vitals {
    fn from(status: &Status) -> Self {
        Self {
            role: status.role,
            epoch: status.epoch,
            last: status.last.lsn,
            commit: status.commit_lsn,
            applied: status.applied_lsn,
            snapshot: status.snapshot_lsn,
        }
    }
}

/// What a person or a test may know of a replica. `snapshot ≤ applied ≤ commit ≤ last` always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The protocol's name.
    pub protocol: String,
    /// What it does.
    pub role: Role,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The leadership in force, as far as it knows.
    pub epoch: LeaderEpoch,
    /// The last record in its log.
    pub last: EntryId,
    /// The last record that it knows to be durable here.
    pub durable_lsn: Lsn,
    /// The last record that cannot be lost under the configured acks.
    pub commit_lsn: Lsn,
    /// The last record that was handed to the engine.
    pub applied_lsn: Lsn,
    /// The last record that a durable snapshot covers.
    pub snapshot_lsn: Lsn,
    /// Anything else: small numbers by name.
    pub details: BTreeMap<String, u64>,
}
