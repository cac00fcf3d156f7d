//! The four kinds of authority, as four types that cannot be compared with each other.
//!
//! | type | answers | grows when |
//! |---|---|---|
//! | [`ConfigEpoch`] | which descriptor is in force? | the catalogue changes a keyspace |
//! | [`LeaderEpoch`] | may this sender order writes? | a leadership begins |
//! | [`Incarnation`] | is this the same disk? | a node is formatted |
//! | [`InstanceGen`] | is this completion mine? | a replica boots in a process |
//!
//! Fencing compares the *sender's* authority with the receiver's, never the epoch in which an
//! entry was made: a new leader legitimately ships entries of old epochs.

pub(crate) mod incarnation;

use std::fmt;

use serde::{Deserialize, Serialize};

/// Version of a keyspace's descriptor.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ConfigEpoch(pub u64);

/// Number of a leadership (a Raft "term"): the authority of a sender to order writes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LeaderEpoch(pub u64);

/// A node's disk identity: 128 random bits written when its data folder was formatted.
///
/// A wiped, cloned or restored disk must become a new incarnation before it may vote, acknowledge
/// or mint dots again.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u128);

/// One boot of a replica inside a process. Completions that carry an older one are dropped.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InstanceGen(pub u64);

impl LeaderEpoch {
    /// No leadership yet: older than every real one.
    pub const NONE: Self = Self(0);

    /// The leadership after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ConfigEpoch {
    /// The version after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl InstanceGen {
    /// The boot after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for ConfigEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config epoch {}", self.0)
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leader epoch {}", self.0)
    }
}
