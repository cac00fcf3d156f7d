//! Requests of clients and what becomes of them.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Ack, Acks, ClientId, Error, GroupId, Mono, Position};

/// Names one request for all time, so that a retry has one effect.
///
/// A client numbers its writes from 1 without gaps. `acked_upto` says below which number it will
/// never ask again, so that the servers may forget those replies.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RequestId {
    /// Who asks.
    pub client: ClientId,
    /// The how-manieth write of that client, from 1.
    pub seq: u64,
    /// The client has the replies to all writes up to and including this one.
    pub acked_upto: u64,
}

/// Where a reply goes; opaque to the core, made by the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyHandle {
    /// The connection or embedded session.
    pub session: u64,
    /// The request within it.
    pub request: u64,
}

/// A write on its way in.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// Its name, for exactly-once effect.
    pub id: RequestId,
    /// Where the outcome goes.
    pub reply_to: ReplyHandle,
    /// Copies wanted; `None` takes the keyspace's default.
    pub acks: Option<Acks>,
    /// After this instant the outcome is reported as unknown.
    pub deadline: Mono,
    /// An encoded [`Operation`](crate::Operation).
    pub body: Bytes,
}

/// How fresh a read must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadLevel {
    /// Whatever this replica has applied.
    Local,
    /// A replica whose history contains this position; waits for it until the deadline.
    Session(Position),
    /// What the leader has acknowledged: linearizable per key.
    Leader,
    /// A replica that can prove to lag no more than this; `NotCaughtUp` from one that cannot.
    Bounded(Lag),
}

/// How far behind an answer may be.
///
/// ```
/// use std::time::Duration;
/// use repertoire_core::{Lag, ReadLevel};
///
/// let level = ReadLevel::Bounded(Lag::of(Duration::from_millis(500)));
/// let stricter = ReadLevel::Bounded(Lag { records_max: Some(100), ..Lag::of(Duration::from_secs(2)) });
/// assert_ne!(level, stricter);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Every write that was acknowledged at least this long before the read arrived is seen. The
    /// replica measures it with its own monotonic clock, without comparing clocks of two machines.
    /// Milliseconds count on the wire; what is below is rounded down.
    pub age_max: Duration,
    /// At most this many records are missing of those that the leader had when the replica last
    /// heard of it; nothing leaves it to `age_max`.
    pub records_max: Option<u64>,
}

impl Lag {
    /// A bound in time alone.
    pub const fn of(age_max: Duration) -> Self {
        Self {
            age_max,
            records_max: None,
        }
    }
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadQuery {
    /// One key.
    Get(Bytes),
    /// Keys in `[from, to)` (an empty `to` means no end), in order, at most `limit` of them.
    Scan {
        /// First key.
        from: Bytes,
        /// First key not to return; empty for no end.
        to: Bytes,
        /// Most rows to return.
        limit: u32,
    },
    /// The state digest, by a full scan.
    Digest,
    /// The number of live keys.
    Count,
}

/// A read on its way in.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// Where the answer goes.
    pub reply_to: ReplyHandle,
    /// How fresh it must be.
    pub level: ReadLevel,
    /// After this instant it fails with `Timeout`.
    pub deadline: Mono,
    /// What to read.
    pub query: ReadQuery,
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Bytes,
    /// The value, without its envelope.
    pub value: Bytes,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value of one key, if it has one.
    Value(Option<Bytes>),
    /// Rows in key order.
    Rows(Vec<Row>),
    /// Digest of the whole state; equal states have equal digests on every engine.
    Digest(u128),
    /// A number of keys.
    Count(u64),
}

/// How a request ended: done, or an error that says whether the write may still happen.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The write is done as promised.
    Written {
        /// What the acknowledgement promises.
        ack: Ack,
        /// What the operation returned; empty for plain writes.
        result: Bytes,
    },
    /// The read was answered.
    Answered {
        /// The position the answer was read at.
        position: Position,
        /// What was found.
        answer: Answer,
    },
    /// Refused, failed or unknown: see [`Error::outcome`].
    Failed(Box<Error>),
}

/// A reply on its way out.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The group that answers.
    pub group: GroupId,
    /// Where it goes.
    pub to: ReplyHandle,
    /// How the request ended.
    pub outcome: Outcome,
}
