//! Requests that wait or are under way.

use bytes::Bytes;
use repertoire_core::{Ack, Acks, Answer, Error, GroupId, NodeId, Position, ReadLevel, ReadQuery};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::completion::Pipes;
use crate::trace::Traced;

/// Bytes that a request holds beside its operation; what the nodes count, too.
pub(crate) const REQUEST_BYTES: usize = 64;

/// A write that is done as promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What the acknowledgement promises: position, durability, copies.
    pub ack: Ack,
    /// What the operation returned; empty for plain writes.
    pub result: Bytes,
}

/// Who hears of the end of a write.
#[derive(Debug)]
pub(crate) enum WriteWaiter {
    Pipe { pipe: u32, ticket: u64 },
    Call(oneshot::Sender<Result<Written, Error>>),
}

/// Who hears of the end of a read.
#[derive(Debug)]
pub(crate) enum ReadWaiter {
    Pipe { pipe: u32, ticket: u64 },
    Call(oneshot::Sender<Result<(Position, Answer), Error>>),
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be sent.
    Waiting,
    /// To be sent after a pause.
    Paused,
    /// Sent over the connection of this number, not answered.
    UnderWay(u64),
}

/// A write.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) body: Bytes,
    pub(crate) waiter: WriteWaiter,
    pub(crate) deadline: Instant,
    pub(crate) acks: Option<Acks>,
    pub(crate) stage: Stage,
    pub(crate) tries: u32,
    pub(crate) is_doubtful: bool,
    pub(crate) trace: Traced,
}

/// A read.
#[derive(Debug)]
pub(crate) struct ReadFlight {
    pub(crate) group: GroupId,
    pub(crate) level: ReadLevel,
    pub(crate) query: ReadQuery,
    /// The node that must answer, if the caller cares.
    pub(crate) node: Option<NodeId>,
    pub(crate) waiter: ReadWaiter,
    pub(crate) deadline: Instant,
    pub(crate) stage: Stage,
    pub(crate) tries: u32,
    pub(crate) trace: Traced,
}

impl Flight {
    /// Bytes that it holds of the budgets.
    pub(crate) fn cost(&self) -> usize {
        self.body.len() + REQUEST_BYTES
    }
}

impl ReadFlight {
    /// Bytes that it holds of the budgets.
    pub(crate) fn cost(&self) -> usize {
        read_cost(&self.query)
    }
}

/// Bytes that a read holds of the budgets.
pub(crate) fn read_cost(query: &ReadQuery) -> usize {
    REQUEST_BYTES
        + match query {
            ReadQuery::Get(key) => key.len(),
            ReadQuery::Scan { from, to, .. } => from.len() + to.len(),
            ReadQuery::Digest | ReadQuery::Count => 0,
        }
}

impl WriteWaiter {
    /// The write is done.
    pub(crate) fn written(self, ack: Ack, result: Bytes, pipes: &mut Pipes) {
        match self {
            Self::Pipe { pipe, ticket } => pipes.written(pipe, ticket, ack, result),
            Self::Call(reply) => {
                let _is_gone = reply.send(Ok(Written { ack, result }));
            }
        }
    }

    /// The write failed.
    pub(crate) fn failed(self, error: Error, pipes: &mut Pipes) {
        match self {
            Self::Pipe { pipe, ticket } => pipes.failed(pipe, ticket, error),
            Self::Call(reply) => {
                let _is_gone = reply.send(Err(error));
            }
        }
    }
}

impl ReadWaiter {
    /// The read was answered.
    pub(crate) fn answered(self, position: Position, answer: Answer, pipes: &mut Pipes) {
        match self {
            Self::Pipe { pipe, ticket } => pipes.answered(pipe, ticket, position, answer),
            Self::Call(reply) => {
                let _is_gone = reply.send(Ok((position, answer)));
            }
        }
    }

    /// The read failed.
    pub(crate) fn failed(self, error: Error, pipes: &mut Pipes) {
        match self {
            Self::Pipe { pipe, ticket } => pipes.failed(pipe, ticket, error),
            Self::Call(reply) => {
                let _is_gone = reply.send(Err(error));
            }
        }
    }
}
