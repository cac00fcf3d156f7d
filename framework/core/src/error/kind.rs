//! The kinds of failure, with their codes and advice. Append-only: kinds travel on the wire.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Retry, WriteOutcome};
use crate::{ConfigEpoch, LeaderEpoch, NodeId, Position, TokenFault};

/// What went wrong. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// This node does not order writes for the group.
    #[error("this node is not the leader{}", .hint.map(|n| format!(" ({n} is)")).unwrap_or_default())]
    NotLeader {
        /// Who leads, as far as this node knows.
        hint: Option<NodeId>,
    },
    /// Too few replicas can be reached to do what was asked.
    #[error("too few replicas can be reached")]
    Unavailable,
    /// The deadline passed first.
    #[error("the deadline passed")]
    Timeout,
    /// The sender's authority is older than the receiver's.
    #[error("fenced: the sender holds {own}, {seen} is in force")]
    Fenced {
        /// The authority in force.
        seen: LeaderEpoch,
        /// The sender's authority.
        own: LeaderEpoch,
    },
    /// A compare-and-set or a transaction guard did not hold.
    #[error("the expected state was not found")]
    Conflict,
    /// The replica's history does not reach the position yet.
    #[error("not caught up: have {have}, need {need}")]
    NotCaughtUp {
        /// What the replica has applied.
        have: Position,
        /// What the session needs.
        need: Position,
    },
    /// The position was discarded by a failover: it will never be seen again.
    #[error("position {need} was discarded by a failover")]
    Discarded {
        /// What the session needs.
        need: Position,
    },
    /// A stage of the node has no credit left.
    #[error("overloaded")]
    Overloaded,
    /// A key, value or operation is larger than the keyspace allows.
    #[error("too large: {len} bytes, at most {max}")]
    TooLarge {
        /// Bytes offered.
        len: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// No keyspace of that name or number.
    #[error("unknown keyspace")]
    UnknownKeyspace,
    /// The keyspace's descriptor changed.
    #[error("stale descriptor: the sender has {have}, {need} is in force")]
    StaleDescriptor {
        /// The sender's version.
        have: ConfigEpoch,
        /// The version in force.
        need: ConfigEpoch,
    },
    /// A request id was used again with another payload.
    #[error("the request id was already used for another payload")]
    RequestIdReuse,
    /// The request id is older than the dedup window: whether it was applied is not known any more.
    #[error("the client session expired")]
    SessionExpired,
    /// The request or message cannot be understood.
    #[error("malformed")]
    Malformed,
    /// The keyspace's plug-ins cannot do that.
    #[error("unsupported")]
    Unsupported,
    /// A setting is wrong.
    #[error("invalid configuration")]
    ConfigInvalid,
    /// Stored bytes fail their checksum.
    #[error("corrupted data")]
    Corrupted,
    /// The disk is full: writes are refused, reads go on.
    #[error("storage is full")]
    StorageFull,
    /// The disk failed; the node stops rather than guess.
    #[error("storage failed")]
    StorageFailed,
    /// A plug-in panicked on this keyspace; the others go on.
    #[error("the keyspace is poisoned by a plug-in's panic")]
    Poisoned,
    /// The node is shutting down.
    #[error("shutting down")]
    ShuttingDown,
    /// The peer's certificate or identity was not accepted.
    #[error("identity refused")]
    IdentityRefused,
    /// A registered function or command failed on its own terms.
    #[error("the operation failed: {message}")]
    Application {
        /// What the function said.
        message: String,
    },
    /// A bug: please report it.
    #[error("unexpected failure")]
    Unexpected,
    /// Another process works on the data folder.
    #[error("the data folder is in use")]
    FolderInUse,
    /// A session token that this cluster did not seal, or cannot read.
    #[error("the session token is refused: {fault}")]
    InvalidToken {
        /// Why.
        fault: TokenFault,
    },
}

impl ErrorKind {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => "RPT-0001",
            Self::Unavailable => "RPT-0002",
            Self::Timeout => "RPT-0003",
            Self::Fenced { .. } => "RPT-0004",
            Self::Conflict => "RPT-0005",
            Self::NotCaughtUp { .. } => "RPT-0006",
            Self::Discarded { .. } => "RPT-0007",
            Self::Overloaded => "RPT-0008",
            Self::TooLarge { .. } => "RPT-0009",
            Self::UnknownKeyspace => "RPT-0010",
            Self::StaleDescriptor { .. } => "RPT-0011",
            Self::RequestIdReuse => "RPT-0012",
            Self::SessionExpired => "RPT-0013",
            Self::Malformed => "RPT-0014",
            Self::Unsupported => "RPT-0015",
            Self::ConfigInvalid => "RPT-0016",
            Self::Corrupted => "RPT-0017",
            Self::StorageFull => "RPT-0018",
            Self::StorageFailed => "RPT-0019",
            Self::Poisoned => "RPT-0020",
            Self::ShuttingDown => "RPT-0021",
            Self::IdentityRefused => "RPT-0022",
            Self::Application { .. } => "RPT-0023",
            Self::Unexpected => "RPT-0024",
            Self::FolderInUse => "RPT-0025",
            Self::InvalidToken { .. } => "RPT-0026",
        }
    }

    /// Whether a write that failed so may still happen, unless the error says otherwise.
    pub const fn default_outcome(&self) -> WriteOutcome {
        match self {
            Self::Timeout | Self::StorageFailed | Self::SessionExpired | Self::Unexpected => {
                WriteOutcome::Unknown
            }
            Self::NotLeader { .. }
            | Self::Unavailable
            | Self::Fenced { .. }
            | Self::Conflict
            | Self::NotCaughtUp { .. }
            | Self::Discarded { .. }
            | Self::Overloaded
            | Self::TooLarge { .. }
            | Self::UnknownKeyspace
            | Self::StaleDescriptor { .. }
            | Self::RequestIdReuse
            | Self::Malformed
            | Self::Unsupported
            | Self::ConfigInvalid
            | Self::Corrupted
            | Self::StorageFull
            | Self::Poisoned
            | Self::ShuttingDown
            | Self::IdentityRefused
            | Self::Application { .. }
            | Self::FolderInUse
            | Self::InvalidToken { .. } => WriteOutcome::NotApplied,
        }
    }

    /// What to do next.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::NotLeader { .. }
            | Self::Fenced { .. }
            | Self::NotCaughtUp { .. }
            | Self::ShuttingDown
            | Self::StorageFailed => Retry::Elsewhere,
            Self::Unavailable
            | Self::Timeout
            | Self::Overloaded
            | Self::StaleDescriptor { .. }
            | Self::StorageFull => Retry::SameRequest,
            Self::Conflict
            | Self::Discarded { .. }
            | Self::TooLarge { .. }
            | Self::UnknownKeyspace
            | Self::RequestIdReuse
            | Self::SessionExpired
            | Self::Malformed
            | Self::Unsupported
            | Self::ConfigInvalid
            | Self::Corrupted
            | Self::Poisoned
            | Self::IdentityRefused
            | Self::Application { .. }
            | Self::Unexpected
            | Self::FolderInUse
            | Self::InvalidToken { .. } => Retry::No,
        }
    }

    /// One sentence of advice.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => "send it to the leader",
            Self::Unavailable => "retry with the same request id once replicas are back",
            Self::Timeout => "retry with the same request id to learn the outcome",
            Self::Fenced { .. } => "find the new leader",
            Self::Conflict => "read again and decide anew",
            Self::NotCaughtUp { .. } => "wait, or read from the leader",
            Self::Discarded { .. } => "see the discarded writes of the former leader",
            Self::Overloaded => "retry with the same request id after a pause",
            Self::TooLarge { .. } => "split it, or raise the keyspace's limit",
            Self::UnknownKeyspace => "check the name against `repertoire status`",
            Self::StaleDescriptor { .. } => "fetch the descriptor and retry",
            Self::RequestIdReuse => "number each write once",
            Self::SessionExpired => "read to see whether it happened, then open a new session",
            Self::Malformed => "check the client's version",
            Self::Unsupported => "choose another plug-in for the keyspace",
            Self::ConfigInvalid => "fix the setting that is named",
            Self::Corrupted => "repair the node from its peers",
            Self::StorageFull => "free space; writes resume by themselves",
            Self::StorageFailed => "replace the disk and restart the node",
            Self::Poisoned => "report the panic; once its cause is gone, release the keyspace",
            Self::ShuttingDown => "retry at another node",
            Self::IdentityRefused => "check the certificate and the node id",
            Self::Application { .. } => "see the message",
            Self::Unexpected => "report it",
            Self::FolderInUse => "stop the process that uses it, or name another folder",
            Self::InvalidToken { .. } => "begin a new session; what was written stays written",
        }
    }
}
