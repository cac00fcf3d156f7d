//! Choices of single requests.

use std::time::Duration;

use repertoire_core::{Acks, NodeId, ReadLevel, TraceContext};

/// How long a request may take when nobody says.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Choices that a [`Keyspace`](crate::Keyspace) makes for its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestOptions {
    /// Copies that a write needs; nothing takes the keyspace's default.
    pub acks: Option<Acks>,
    /// How long a request may take, retries included. [`DEADLINE`] by default.
    pub deadline: Duration,
    /// How fresh a read must be. `Leader`, the safest, by default.
    pub level: ReadLevel,
    /// The node that `Local` and `Session` reads go to while it serves; nothing takes the leader or
    /// the nearest replica.
    pub node: Option<NodeId>,
    /// What causes the requests, if it belongs to a trace: they belong to it, too. One that is not
    /// sampled keeps them out of every trace; nothing leaves it to the subscriber.
    pub trace: Option<TraceContext>,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            acks: None,
            deadline: DEADLINE,
            level: ReadLevel::Leader,
            node: None,
            trace: None,
        }
    }
}

impl RequestOptions {
    /// The node that reads go to, if it matters: `Leader` reads find theirs themselves.
    pub(crate) fn read_node(&self) -> Option<NodeId> {
        self.node.filter(|_| self.level != ReadLevel::Leader)
    }
}
