//! One operation of one client, from its invention to its end.

use bytes::Bytes;
use repertoire_core::{Acks, EntryId, RequestId};

use crate::clock::Nanos;
use crate::watch::{Content, KeyId, Stamp};

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Local,
    /// Of the session: at least what its client has seen.
    Session,
    Leader,
    /// Of a replica that lags no more than this.
    Bounded(Nanos),
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Put {
        key: KeyId,
        stamp: Stamp,
    },
    Delete {
        key: KeyId,
        stamp: Stamp,
    },
    /// Puts to both keys, all or none.
    Batch {
        keys: [KeyId; 2],
        stamps: [Stamp; 2],
    },
    Swap {
        key: KeyId,
        expected: Option<Stamp>,
        stamp: Stamp,
    },
    Add {
        key: KeyId,
        stamp: Stamp,
    },
    Get {
        key: KeyId,
        level: Level,
    },
    /// The digest of the state, wherever the replica stands.
    Digest,
}

impl Ask {
    pub(crate) const fn is_write(&self) -> bool {
        !matches!(self, Self::Get { .. } | Self::Digest)
    }
}

/// How an operation ended, as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Not yet.
    Open,
    Done,
    /// Certainly not applied.
    Refused,
    Unknown,
}

/// An operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) client: usize,
    pub(crate) group: usize,
    pub(crate) ask: Ask,
    /// The name of a write; the retries share it.
    pub(crate) id: RequestId,
    /// The encoded write.
    pub(crate) body: Bytes,
    pub(crate) acks: Option<Acks>,
    pub(crate) invoked: Nanos,
    pub(crate) returned: Nanos,
    pub(crate) ending: Ending,
    /// Attempts made; replies name theirs.
    pub(crate) attempts: u8,
    /// Some attempt may have been applied although no reply said so.
    pub(crate) may_be_applied: bool,
    /// What a session read must see.
    pub(crate) token: EntryId,
    /// Where it took effect, or where it was read.
    pub(crate) position: EntryId,
    /// What was read, or what a function returned.
    pub(crate) seen: Content,
    /// Copies, as the acknowledgement says.
    pub(crate) copies: u8,
}

impl Op {
    /// The names of what it writes.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let [first, second] = match self.ask {
            Ask::Put { stamp, .. }
            | Ask::Delete { stamp, .. }
            | Ask::Swap { stamp, .. }
            | Ask::Add { stamp, .. } => [Some(stamp), None],
            Ask::Batch { stamps, .. } => stamps.map(Some),
            Ask::Get { .. } | Ask::Digest => [None, None],
        };
        first.into_iter().chain(second)
    }
}
