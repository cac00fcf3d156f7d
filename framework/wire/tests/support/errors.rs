//! One error of every kind.

use repertoire_core::{
    ClusterId, ConfigEpoch, EntryId, Error, ErrorKind, LeaderEpoch, Lsn, NodeId, Position,
    TokenFault, WriteOutcome,
};

/// One error of every kind, in the order of their codes.
pub(crate) fn every_error() -> Vec<Error> {
    let position = |lsn| Position::Entry(EntryId::new(LeaderEpoch(1), Lsn(lsn)));
    let kinds = vec![
        ErrorKind::NotLeader {
            hint: Some(NodeId(3)),
        },
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Fenced {
            seen: LeaderEpoch(5),
            own: LeaderEpoch(4),
        },
        ErrorKind::Conflict,
        ErrorKind::NotCaughtUp {
            have: position(1),
            need: position(2),
        },
        ErrorKind::Discarded { need: position(3) },
        ErrorKind::Overloaded,
        ErrorKind::TooLarge { len: 2, max: 1 },
        ErrorKind::UnknownKeyspace,
        ErrorKind::StaleDescriptor {
            have: ConfigEpoch(1),
            need: ConfigEpoch(2),
        },
        ErrorKind::RequestIdReuse,
        ErrorKind::SessionExpired,
        ErrorKind::Malformed,
        ErrorKind::Unsupported,
        ErrorKind::ConfigInvalid,
        ErrorKind::Corrupted,
        ErrorKind::StorageFull,
        ErrorKind::StorageFailed,
        ErrorKind::Poisoned,
        ErrorKind::ShuttingDown,
        ErrorKind::IdentityRefused,
        ErrorKind::Application {
            message: "insufficient funds".into(),
        },
        ErrorKind::Unexpected,
        ErrorKind::FolderInUse,
        ErrorKind::InvalidToken {
            fault: TokenFault::TooLong { len: 2, max: 1 },
        },
        ErrorKind::InvalidToken {
            fault: TokenFault::Malformed,
        },
        ErrorKind::InvalidToken {
            fault: TokenFault::Forged,
        },
        ErrorKind::InvalidToken {
            fault: TokenFault::Foreign {
                cluster: Box::new(ClusterId(0x1122)),
            },
        },
        ErrorKind::InvalidToken {
            fault: TokenFault::Outdated { version: 0 },
        },
    ];
    let error = |kind| {
        Error::new(kind, "put")
            .with("group", "accounts/0")
            .with_outcome(WriteOutcome::Unknown)
    };
    kinds.into_iter().map(error).collect()
}
