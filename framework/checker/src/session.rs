//! The four session guarantees of Terry et al. ("Session Guarantees for Weakly Consistent
//! Replicated Data", PDIS 1994), one pass over what each session did.
//!
//! The caller gives a version with every answered read and write: a number that grows along the
//! one order of the writes to a key, such as a log position with its epoch in front. Version 0 is
//! the key before its first write. Guarantees are checked key by key, since versions of different
//! keys do not compare; for an order across keys see [`prefix`](crate::prefix).

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{OpId, SessionId};
use crate::report::{KeyName, Report, Violation, invariant};

/// A promise to one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// A read sees the session's earlier writes, or later ones.
    ReadYourWrites,
    /// A read sees nothing older than an earlier read of the session.
    MonotonicReads,
    /// A write is ordered after the session's earlier writes.
    MonotonicWrites,
    /// A write is ordered after the writes that the session had read.
    WritesFollowReads,
}

impl Guarantee {
    /// All four.
    pub const ALL: [Self; 4] = [
        Self::ReadYourWrites,
        Self::MonotonicReads,
        Self::MonotonicWrites,
        Self::WritesFollowReads,
    ];

    /// Its stable name in reports.
    pub fn invariant(self) -> &'static str {
        match self {
            Self::ReadYourWrites => invariant::READ_YOUR_WRITES,
            Self::MonotonicReads => invariant::MONOTONIC_READS,
            Self::MonotonicWrites => invariant::MONOTONIC_WRITES,
            Self::WritesFollowReads => invariant::WRITES_FOLLOW_READS,
        }
    }
}

/// What an answered operation did, with the version that the database told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// Read this version of the key.
    Read {
        /// The version seen; 0 when the key was never written.
        version: u64,
    },
    /// Made this version of the key, by writing or deleting.
    Write {
        /// The version made; at least 1.
        version: u64,
    },
}

/// One answered operation of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// Its number, for the report.
    pub op: OpId,
    /// The session that ran it. Devices that share a token share a session.
    pub session: SessionId,
    /// The key.
    pub key: &'a [u8],
    /// What it did.
    pub kind: AccessKind,
}

/// The newest version of a key that a session has read or written, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    version: u64,
    op: Option<OpId>,
}

impl Newest {
    fn note(&mut self, version: u64, op: OpId) {
        if version >= self.version {
            *self = Self {
                version,
                op: Some(op),
            };
        }
    }
}

/// What a session knows of a key.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    read: Newest,
    written: Newest,
}

/// A session that went back on its own past.
struct Regression<'a> {
    access: Access<'a>,
    before: Newest,
    verb: &'static str,
}

impl fmt::Display for Regression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access {
            op,
            session,
            key,
            kind,
        } = self.access;
        let key = KeyName(key);
        match kind {
            AccessKind::Read { version } => write!(f, "{session}: {op} read {key} at {version}")?,
            AccessKind::Write { version } => write!(f, "{session}: {op} wrote {key} at {version}")?,
        }
        let Newest { version, op } = self.before;
        match op {
            Some(op) => write!(f, ", after {op} had {} it at {version}", self.verb),
            None => f.write_str(", which is the version of a key that was never written"),
        }
    }
}

/// Checks `guarantees` over `accesses`, which come in the order in which each session ran them;
/// sessions may interleave. The facts counted are accesses.
///
/// ```
/// use repertoire_checker::session::{self, Access, AccessKind, Guarantee};
/// use repertoire_checker::{OpId, SessionId};
///
/// let (session, key) = (SessionId(1), b"k".as_slice());
/// let accesses = [
///     Access { op: OpId(1), session, key, kind: AccessKind::Write { version: 7 } },
///     Access { op: OpId(2), session, key, kind: AccessKind::Read { version: 6 } },
/// ];
/// let report = session::check(&[Guarantee::ReadYourWrites], accesses);
/// assert_eq!(
///     report.violations[0].to_string(),
///     "SL7.read-your-writes: session 1: op 2 read \"k\" at 6, after op 1 had written it at 7",
/// );
/// ```
pub fn check<'a>(
    guarantees: &[Guarantee],
    accesses: impl IntoIterator<Item = Access<'a>>,
) -> Report {
    let mut report = Report::default();
    let mut known: BTreeMap<(SessionId, &[u8]), Seen> = BTreeMap::new();
    for access in accesses {
        report.checked += 1;
        let seen = known.entry((access.session, access.key)).or_default();
        let found = match access.kind {
            AccessKind::Read { version } => [
                (
                    Guarantee::ReadYourWrites,
                    version < seen.written.version,
                    seen.written,
                ),
                (
                    Guarantee::MonotonicReads,
                    version < seen.read.version,
                    seen.read,
                ),
            ],
            // A write makes a version of its own, so an equal one is as wrong as an older one.
            AccessKind::Write { version } => [
                (
                    Guarantee::MonotonicWrites,
                    version <= seen.written.version,
                    seen.written,
                ),
                (
                    Guarantee::WritesFollowReads,
                    version <= seen.read.version,
                    seen.read,
                ),
            ],
        };
        for (guarantee, is_broken, before) in found {
            if is_broken && guarantees.contains(&guarantee) {
                let is_own = matches!(
                    guarantee,
                    Guarantee::ReadYourWrites | Guarantee::MonotonicWrites
                );
                let verb = if is_own { "written" } else { "read" };
                let detail = Regression {
                    access,
                    before,
                    verb,
                }
                .to_string();
                report.add(Violation::new(guarantee.invariant(), detail));
            }
        }
        match access.kind {
            AccessKind::Read { version } => seen.read.note(version, access.op),
            AccessKind::Write { version } => seen.written.note(version, access.op),
        }
    }
    report
}
