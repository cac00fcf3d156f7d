//! The operations of clients: names, kinds, outcomes.

use std::borrow::Cow;
use std::fmt;

/// Number of one client operation, unique in a history. A retry is part of the same operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Number of one client session, which runs its operations one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Name of one write, unique in a history over all keys. Deletes have one too, because two
/// nameless tombstones could not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u128);

impl WriteId {
    /// Packs a two-part name, such as an epoch and a log position, or a client and a sequence.
    pub fn from_parts(high: u64, low: u64) -> Self {
        Self((u128::from(high) << 64) | u128::from(low))
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op {}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 64 {
            0 => write!(f, "w{}", self.0),
            high => write!(f, "w{high}:{}", self.0 & u128::from(u64::MAX)),
        }
    }
}

/// What an operation asked for and, when it was answered, what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Sets the key to the value named `id`.
    Write {
        /// Name of the value.
        id: WriteId,
    },
    /// Deletes the key; a later read observes `id`, the name of the tombstone.
    Delete {
        /// Name of the tombstone.
        id: WriteId,
    },
    /// Reads the key.
    Read {
        /// Name of the write or delete that was seen; `None` when the key was never written.
        observed: Option<WriteId>,
    },
    /// Sets the key to `id` if it holds `expected`.
    CompareAndSet {
        /// Name of the write that the key must hold, or of its tombstone after a delete; `None`
        /// when it must never have been written.
        expected: Option<WriteId>,
        /// Name of the new value.
        id: WriteId,
        /// Whether the database said that it took place. Not read unless the operation is `Ok`.
        swapped: bool,
    },
    /// Adds `by` to the counter of the key.
    Increment {
        /// Name of this increment.
        id: WriteId,
        /// The amount; negative to decrement.
        by: i64,
        /// The value after it, when the database tells. Not read unless the operation is `Ok`.
        observed: Option<i64>,
    },
    /// Reads the counter of the key; an untouched counter is 0.
    ReadCounter {
        /// The value that was seen.
        observed: i64,
    },
}

/// How an operation ended, as its client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done and acknowledged.
    Ok,
    /// Refused: certainly not applied, now or later.
    Refused,
    /// Not known: it may have been applied, may be applied later, or never.
    Unknown,
}

/// Whether an operation changed the database, from what its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did, and the client was told so.
    Applied,
    /// It certainly did not.
    NotApplied,
    /// Nobody told the client.
    Unknown,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub id: OpId,
    /// The session that ran it.
    pub session: SessionId,
    /// The key it is about.
    pub key: Vec<u8>,
    /// When the client sent it (its first attempt), in nanoseconds.
    pub invoked_ns: u64,
    /// When the client got its answer, in nanoseconds; ignored when the outcome is unknown.
    pub returned_ns: Option<u64>,
    /// What it asked for and saw.
    pub kind: OpKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The level at which it was acknowledged, in the words of the database ("sync, disk").
    pub ack_level: Option<Cow<'static, str>>,
}

impl Operation {
    /// An operation whose outcome is not known yet; see [`ok`](Self::ok) and
    /// [`refused`](Self::refused).
    pub fn new(
        id: OpId,
        session: SessionId,
        key: impl Into<Vec<u8>>,
        kind: OpKind,
        invoked_ns: u64,
    ) -> Self {
        Self {
            id,
            session,
            key: key.into(),
            invoked_ns,
            returned_ns: None,
            kind,
            outcome: Outcome::Unknown,
            ack_level: None,
        }
    }

    /// The same operation, done at `returned_ns`.
    pub fn ok(self, returned_ns: u64) -> Self {
        Self {
            returned_ns: Some(returned_ns),
            outcome: Outcome::Ok,
            ..self
        }
    }

    /// The same operation, refused at `returned_ns`.
    pub fn refused(self, returned_ns: u64) -> Self {
        Self {
            returned_ns: Some(returned_ns),
            outcome: Outcome::Refused,
            ..self
        }
    }

    /// The same operation, acknowledged at `level`.
    pub fn acked_at(self, level: impl Into<Cow<'static, str>>) -> Self {
        Self {
            ack_level: Some(level.into()),
            ..self
        }
    }

    /// The name of the write it carries, applied or not; `None` for reads.
    pub fn write_id(&self) -> Option<WriteId> {
        match self.kind {
            OpKind::Write { id }
            | OpKind::Delete { id }
            | OpKind::CompareAndSet { id, .. }
            | OpKind::Increment { id, .. } => Some(id),
            OpKind::Read { .. } | OpKind::ReadCounter { .. } => None,
        }
    }

    /// Whether it changed the database. A compare-and-set that found another value did not.
    pub fn fate(&self) -> Fate {
        match (self.outcome, &self.kind) {
            (Outcome::Unknown, _) => Fate::Unknown,
            (Outcome::Refused, _) | (_, OpKind::CompareAndSet { swapped: false, .. }) => {
                Fate::NotApplied
            }
            (Outcome::Ok, _) => Fate::Applied,
        }
    }

    /// When it had certainly taken effect, in nanoseconds; `None` unless it is `Ok`.
    pub fn finished_ns(&self) -> Option<u64> {
        self.returned_ns.filter(|_| self.outcome == Outcome::Ok)
    }
}
