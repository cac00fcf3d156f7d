//! What is yet to happen.

use repertoire_core::{
    LogSlice, NodeId, PeerEvent, Position, ReadRequest, SnapshotHeader, Ticket, WriteRequest,
};
use repertoire_single_leader::Message;

use bytes::Bytes;

pub(super) enum Event {
    Write {
        node: u64,
        request: WriteRequest,
    },
    Read {
        node: u64,
        request: ReadRequest,
    },
    Message {
        from: u64,
        to: u64,
        message: Message,
    },
    /// Something within one life of a node: nothing happens when it was taken down since.
    Wake {
        node: u64,
        boot: u64,
        what: Wake,
    },
    Snapshot {
        from: u64,
        to: u64,
        header: SnapshotHeader,
        chunks: Vec<Bytes>,
    },
    Reply {
        number: usize,
        from: u64,
        sent: u64,
        what: String,
        position: Option<Position>,
    },
}

/// What a node is woken for.
pub(super) enum Wake {
    /// A burst of the log is on its medium.
    Burst,
    /// An answer of the log.
    LogRead { ticket: Ticket, slice: LogSlice },
    /// A timer, which counts if it was not set again since.
    Timer { key: u64, setting: u64 },
    /// News of a link.
    Link { peer: NodeId, event: PeerEvent },
    /// Requests whose deadline has passed are ended.
    Deadlines,
}
