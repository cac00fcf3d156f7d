//! What can happen next.

use repertoire_core::{LogSlice, NodeId, Outcome, PeerEvent, Ticket};

use crate::fault::kind::Fault;

/// Something that happens at its time. Small, because the heap moves it about; what is large waits
/// in a slab.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A message arrives.
    Message(u32),
    /// A message of a snapshot transfer arrives.
    Transfer(u32),
    /// A timer of a replica may have passed.
    Timer {
        node: u8,
        group: u8,
        slot: u8,
        boot: u32,
    },
    /// A batch of inputs ends.
    Flush { node: u8, boot: u32 },
    /// A burst of log operations reached its medium.
    LogDone { node: u8, boot: u32 },
    /// The log tries again after the disk was full.
    LogRetry { node: u8, boot: u32 },
    /// A log read is answered.
    LogAnswer(u32),
    /// An engine has done its job.
    JobDone { node: u8, group: u8, boot: u32 },
    /// A deadline of a replica may have passed.
    Deadline { node: u8, group: u8, boot: u32 },
    /// The next part of a snapshot may be read.
    SnapshotStep { node: u8, group: u8, boot: u32 },
    /// A snapshot file is durable.
    SnapshotStored { node: u8, group: u8, boot: u32 },
    /// A received snapshot is durable and loaded.
    SnapshotLoaded { node: u8, group: u8, boot: u32 },
    /// A controller looks whether a keyspace has a leader.
    Controller { group: u8 },
    /// The receiver of a snapshot looks whether it must ask again.
    TransferTick { node: u8, group: u8, boot: u32 },
    /// A request of a client arrives at a node.
    Request { op: u32, attempt: u8, node: u8 },
    /// A reply arrives at its client.
    Reply(u32),
    /// The client learns that the node cannot be reached.
    Unreachable { op: u32, attempt: u8 },
    /// A client may have waited long enough for an attempt.
    Timeout { client: u8 },
    /// A client makes another attempt.
    Again { op: u32 },
    /// A client may ask something new.
    Wake { client: u8 },
    /// A node learns of its link to a peer.
    Link {
        node: u8,
        peer: u8,
        news: PeerEvent,
        boot: u32,
    },
    /// A node starts.
    Start { node: u8 },
    /// Expired keys of a keyspace are looked for.
    Expiry { group: u8 },
    /// Somebody wants another leader.
    Wish,
    /// The operator looks after the members.
    Members,
    /// A fault of a kind strikes.
    Strike(Fault),
    /// A fault ends.
    Undo(u32),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel<M> {
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) group: u8,
    /// The connection that carries it, by the boots of its two ends; a message that is heard once more
    /// long after has none.
    pub(crate) link: Option<(u32, u32)>,
    pub(crate) message: M,
}

/// A reply on its way.
#[derive(Debug)]
pub(crate) struct ReplyOut {
    pub(crate) op: u32,
    pub(crate) attempt: u8,
    pub(crate) node: u8,
    pub(crate) outcome: Outcome,
}

/// The answer to a log read.
#[derive(Debug)]
pub(crate) struct LogAnswer {
    pub(crate) node: u8,
    pub(crate) group: u8,
    pub(crate) boot: u32,
    pub(crate) ticket: Ticket,
    pub(crate) slice: LogSlice,
}

/// What ends a fault.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    /// Mend these directions.
    Mend(Vec<(usize, usize)>),
    /// Cut this pair and mend it again, so many times.
    Flap {
        pair: (usize, usize),
        times: u32,
        is_cut: bool,
    },
    /// Give the disk room again.
    Room(usize),
    /// Cut the power of a node whose disk has hung.
    Cut(usize),
}

/// What to tell hosts of their peers.
pub(crate) const fn peer(index: u8) -> NodeId {
    crate::plan::node_id(index as usize)
}
