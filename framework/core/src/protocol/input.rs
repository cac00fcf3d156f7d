//! What a protocol learns.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Acks, Descriptor, EntryId, FormatTag, LogSeq, LogSlice, Lsn, NodeId, ProposalId, ReadLevel,
    Ticket, Wall,
};

/// Records sealed by the write pipeline, waiting for a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its name; grows by one per proposal of one boot.
    pub id: ProposalId,
    /// Records in the body.
    pub count: u32,
    /// Copies that it needs.
    pub acks: Acks,
    /// Who can read the payloads.
    pub format: FormatTag,
    /// The time it was sealed.
    pub wall: Wall,
    /// The records; see [`Entry`](crate::Entry).
    pub body: Bytes,
}

/// News of the link to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Messages may get through.
    Up,
    /// Messages will not get through for now.
    Down,
    /// Nothing has come from the peer for a while, although the link asks for signs of life.
    /// Messages may still get through, and nothing is said when it speaks again.
    Silent,
    /// The outbox has room again after it was full.
    Writable,
}

/// Something a protocol learns. `M` is its message type.
#[derive(Debug)]
pub enum Input<'a, M> {
    /// Sealed records to order. The protocol drains the vector.
    Propose(&'a mut Vec<Proposal>),
    /// May this replica answer a read of that freshness, and at what position?
    Read {
        /// To be named in the verdict.
        ticket: Ticket,
        /// How fresh it must be.
        level: &'a ReadLevel,
    },
    /// A message of a peer, whose identity the transport has verified.
    Message {
        /// The peer.
        from: NodeId,
        /// What it says.
        message: M,
    },
    /// A timer that was set has passed.
    Timer(u64),
    /// Every log operation up to this one has reached the medium it asked for.
    Durable(LogSeq),
    /// The engine has applied everything up to here.
    Applied(Lsn),
    /// The answer to a log read.
    LogRead {
        /// Which.
        ticket: Ticket,
        /// What was found.
        slice: LogSlice,
    },
    /// The resolver's answer; `None` when it failed or keeps the siblings.
    Resolved {
        /// Which.
        ticket: Ticket,
        /// The resolved value.
        value: Option<Bytes>,
    },
    /// News of the link to a peer.
    Peer {
        /// The peer.
        peer: NodeId,
        /// The news.
        event: PeerEvent,
    },
    /// A new descriptor is in force.
    Descriptor(Arc<Descriptor>),
    /// A snapshot ordered for `to` was taken over by it, up to `position`; `None`: it failed.
    SnapshotSent {
        /// The receiver.
        to: NodeId,
        /// What it covers.
        position: Option<EntryId>,
    },
    /// A snapshot from a peer was installed: the engine is at `position`, with `frontier` as the
    /// protocol's own bytes. The protocol answers with a `Reset` of its log.
    SnapshotInstalled {
        /// What it covers.
        position: EntryId,
        /// The protocol's bytes from the sender.
        frontier: Bytes,
    },
    /// A durable snapshot of this replica covers everything up to here.
    Checkpointed(EntryId),
}
