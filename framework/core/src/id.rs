//! Names of things: nodes, keyspaces, shards, streams, clients.
//!
//! Every identifier is a newtype, so that the compiler refuses to mix them. None of them is ever
//! reused: a node that comes back empty is a new node, a keyspace that is created again under the
//! same name is a new keyspace.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Wall;

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

identifier!(
    /// A process with one identity for all time. Zero is not a valid node.
    NodeId(u64), "node-"
);
identifier!(
    /// A keyspace's number. Names are aliases; numbers are never reused. Zero is the catalogue.
    KeyspaceId(u32), "keyspace-"
);
identifier!(
    /// One shard of a keyspace, counted from zero.
    ShardId(u32), "shard-"
);
identifier!(
    /// A log stream inside a group: one per origin. Single-leader groups use stream zero only.
    StreamId(u32), "stream-"
);
identifier!(
    /// Sequence number over *all* log operations of one replica, appends and hard state alike.
    ///
    /// `Durable(seq)` means that every operation up to and including `seq` has reached the medium
    /// it asked for. It is local to one boot of a replica and never crosses the wire.
    LogSeq(u64), "log-seq-"
);
identifier!(
    /// Correlates an effect with the input that answers it. Local to one boot of a replica.
    Ticket(u64), "ticket-"
);
identifier!(
    /// Correlates a sealed proposal with its fate. Grows by one per proposal of one boot.
    ProposalId(u64), "proposal-"
);

impl KeyspaceId {
    /// Keyspace zero: the catalogue, which describes all others.
    pub const CATALOGUE: Self = Self(0);
}

impl LogSeq {
    /// The sequence number after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A client session: when it was created (48 bits, milliseconds since the Unix epoch) and 80 random
/// bits, chosen by the client.
///
/// The time lets a server tell a new session from one so old that its replies were forgotten.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u128);

impl ClientId {
    /// Names a session created at `created`; `random` must not repeat.
    pub const fn new(created: Wall, random: u128) -> Self {
        Self(((created.0 as u128) << 80) | (random & ((1 << 80) - 1)))
    }

    /// The framework itself, writing what needs no exactly-once effect because it is idempotent.
    pub const INTERNAL: Self = Self(0);

    /// Whether this is [`INTERNAL`](Self::INTERNAL).
    pub const fn is_internal(self) -> bool {
        self.0 == 0
    }

    /// When the client says that the session was created.
    pub const fn created(self) -> Wall {
        // 48 bits are left after the shift, so nothing is cut off.
        #[allow(clippy::cast_possible_truncation, reason = "48 bits fit in 64")]
        Wall((self.0 >> 80) as u64)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client-{:032x}", self.0)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Identity of a whole cluster: 128 random bits, made when the first node is formatted.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub u128);

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster-{:032x}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The replicas of one shard of one keyspace, on all nodes: the unit that replicates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct GroupId {
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The shard within the keyspace.
    pub shard: ShardId,
}

impl GroupId {
    /// The group of the catalogue.
    pub const CATALOGUE: Self = Self::new(0, 0);

    /// Builds a group id from raw numbers.
    pub const fn new(keyspace: u32, shard: u32) -> Self {
        Self {
            keyspace: KeyspaceId(keyspace),
            shard: ShardId(shard),
        }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.keyspace, self.shard)
    }
}

/// A failure domain with a name: a rack, a datacenter, a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Site(pub String);

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
