//! What clients and nodes say to each other.
//!
//! A session is one two-way stream. Both directions carry frames; each frame carries many requests
//! or many outcomes. A request is named by a number that the client counts up over its session, so
//! that outcomes can come back in any order; the exactly-once identity of a write (client, seq)
//! travels beside it and outlives the session.
//!
//! Credit: the welcome grants a number of bytes; every request frame takes its whole length of them
//! (without the length field itself), and the `credit` of reply frames gives them back.

mod admin;
mod answer;
mod failure;
mod position;
mod reads;
mod replies;
mod replies_builder;
mod shared;
mod writes;

use bytes::Bytes;

pub use admin::{AdminReply, AdminRequest, AdminVerb, KEYSPACE_NAME_MAX};
pub use answer::ROWS_MAX;
pub use failure::{ERROR_MAX, decode_error, encode_error};
pub use position::POSITION_ENTRIES_MAX;
pub use reads::{READS_MAX, Reads, ReadsBuilder, ReadsHead};
pub use replies::{Replies, ReplyItem};
pub use replies_builder::RepliesBuilder;
pub use writes::{WRITES_MAX, Writes, WritesBuilder, WritesHead};

use crate::{Frame, FrameKind, WireError};

/// A frame from a client.
#[derive(Clone, Debug)]
pub enum ClientRequest {
    /// Writes of one client to one keyspace.
    Writes(Writes),
    /// Reads from one keyspace.
    Reads(Reads),
    /// An administrative request.
    Admin(AdminRequest),
    /// A kind that this version does not know; to be counted and skipped.
    Unknown {
        /// Its number.
        kind: u8,
    },
}

impl ClientRequest {
    /// Reads a frame (without its length in front), without copying bodies.
    ///
    /// # Errors
    /// When the bytes are no request. The session is then closed.
    pub fn decode(frame: Bytes) -> Result<Self, WireError> {
        let frame = Frame::decode(frame, &[])?;
        match frame.envelope.kind {
            FrameKind::Writes => Writes::from_frame(frame).map(Self::Writes),
            FrameKind::Reads => Reads::from_frame(frame).map(Self::Reads),
            FrameKind::Admin => AdminRequest::from_frame(frame).map(Self::Admin),
            FrameKind::Unknown(kind) => Ok(Self::Unknown { kind }),
            FrameKind::Hello
            | FrameKind::HelloReply
            | FrameKind::StreamHello
            | FrameKind::Peer
            | FrameKind::Snapshot
            | FrameKind::Replies
            | FrameKind::AdminReply => Err(unexpected(frame.envelope.kind)),
        }
    }
}

/// A frame from a node to a client.
#[derive(Clone, Debug)]
pub enum ClientReply {
    /// What became of writes and reads.
    Replies(Replies),
    /// The answer to an administrative request.
    Admin(AdminReply),
    /// A kind that this version does not know; to be counted and skipped.
    Unknown {
        /// Its number.
        kind: u8,
    },
}

impl ClientReply {
    /// Reads a frame (without its length in front), without copying bodies.
    ///
    /// # Errors
    /// When the bytes are no reply. The session is then closed.
    pub fn decode(frame: Bytes) -> Result<Self, WireError> {
        let frame = Frame::decode(frame, &[])?;
        match frame.envelope.kind {
            FrameKind::Replies => Replies::from_frame(frame).map(Self::Replies),
            FrameKind::AdminReply => AdminReply::from_frame(frame).map(Self::Admin),
            FrameKind::Unknown(kind) => Ok(Self::Unknown { kind }),
            FrameKind::Hello
            | FrameKind::HelloReply
            | FrameKind::StreamHello
            | FrameKind::Peer
            | FrameKind::Snapshot
            | FrameKind::Writes
            | FrameKind::Reads
            | FrameKind::Admin => Err(unexpected(frame.envelope.kind)),
        }
    }
}

fn unexpected(kind: FrameKind) -> WireError {
    WireError::UnexpectedKind {
        kind: kind.to_byte(),
    }
}
