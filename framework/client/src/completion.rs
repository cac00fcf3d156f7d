//! Outcomes of pipelined requests, in batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{Ack, Answer, Error, Position};
use tokio::sync::Notify;

/// What became of pipelined requests, named by the tickets that
/// [`Pipeline::submit`](crate::Pipeline::submit) gave out. Plain writes that end in order are one
/// completion, however many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Consecutive plain writes are done as promised: write `first + i` stands at `ack.position`
    /// plus `i` records.
    Written {
        /// The first ticket.
        first: u64,
        /// How many.
        count: u64,
        /// The acknowledgement of the first.
        ack: Ack,
    },
    /// A write that returned something is done as promised.
    Returned {
        /// The ticket.
        ticket: u64,
        /// What the acknowledgement promises.
        ack: Ack,
        /// What the operation returned.
        result: Bytes,
    },
    /// A read was answered.
    Answered {
        /// The ticket.
        ticket: u64,
        /// The position it was read at.
        position: Position,
        /// What was found.
        answer: Answer,
    },
    /// Consecutive requests failed or are unknown, for one reason.
    Failed {
        /// The first ticket.
        first: u64,
        /// How many.
        count: u64,
        /// Why, and whether the writes may still happen.
        error: Box<Error>,
    },
}

impl Completion {
    /// How many requests it ends.
    pub const fn count(&self) -> u64 {
        match self {
            Self::Written { count, .. } | Self::Failed { count, .. } => *count,
            Self::Returned { .. } | Self::Answered { .. } => 1,
        }
    }
}

/// Completions that wait to be fetched, for all pipelines of a client.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    /// By number. Closed ones leave nothing behind: a server opens pipes for each connection.
    pipes: BTreeMap<u32, Pipe>,
    opened: u32,
    touched: Vec<u32>,
}

#[derive(Debug)]
struct Pipe {
    ready: Vec<Completion>,
    arrived: Arc<Notify>,
    is_touched: bool,
}

impl Pipes {
    /// Opens a pipe. Its number is not used again before four billion others were.
    pub(crate) fn open(&mut self) -> (u32, Arc<Notify>) {
        let arrived = Arc::new(Notify::new());
        // Not one that is still open after the numbers went around.
        while self.pipes.contains_key(&self.opened) {
            self.opened = self.opened.wrapping_add(1);
        }
        let number = self.opened;
        self.opened = self.opened.wrapping_add(1);
        let pipe = Pipe {
            ready: Vec::new(),
            arrived: Arc::clone(&arrived),
            is_touched: false,
        };
        self.pipes.insert(number, pipe);
        (number, arrived)
    }

    /// Closes a pipe: what still comes for it is dropped.
    pub(crate) fn close(&mut self, number: u32) {
        self.pipes.remove(&number);
    }

    /// Takes everything. `into` must be empty; its memory is reused.
    pub(crate) fn take(&mut self, number: u32, into: &mut Vec<Completion>) {
        if let Some(pipe) = self.pipes.get_mut(&number) {
            std::mem::swap(&mut pipe.ready, into);
        }
    }

    /// A write is done.
    pub(crate) fn written(&mut self, number: u32, ticket: u64, ack: Ack, result: Bytes) {
        let Some(ready) = self.ready(number) else {
            return;
        };
        if !result.is_empty() {
            ready.push(Completion::Returned {
                ticket,
                ack,
                result,
            });
            return;
        }
        if let Some(Completion::Written {
            first,
            count,
            ack: begin,
        }) = ready.last_mut()
            && *first + *count == ticket
            && begin.position.epoch == ack.position.epoch
            && begin.position.lsn.0.checked_add(*count) == Some(ack.position.lsn.0)
            && begin.durability == ack.durability
            && begin.copies == ack.copies
        {
            *count += 1;
            return;
        }
        ready.push(Completion::Written {
            first: ticket,
            count: 1,
            ack,
        });
    }

    /// A read was answered.
    pub(crate) fn answered(
        &mut self,
        number: u32,
        ticket: u64,
        position: Position,
        answer: Answer,
    ) {
        if let Some(ready) = self.ready(number) {
            ready.push(Completion::Answered {
                ticket,
                position,
                answer,
            });
        }
    }

    /// A request failed.
    pub(crate) fn failed(&mut self, number: u32, ticket: u64, error: Error) {
        let Some(ready) = self.ready(number) else {
            return;
        };
        if let Some(Completion::Failed {
            first,
            count,
            error: same,
        }) = ready.last_mut()
            && *first + *count == ticket
            && **same == error
        {
            *count += 1;
            return;
        }
        let error = Box::new(error);
        ready.push(Completion::Failed {
            first: ticket,
            count: 1,
            error,
        });
    }

    /// Wakes the readers of every pipe that got something since the last call.
    pub(crate) fn wake(&mut self) {
        for number in self.touched.drain(..) {
            if let Some(pipe) = self.pipes.get_mut(&number) {
                pipe.is_touched = false;
                pipe.arrived.notify_one();
            }
        }
    }

    fn ready(&mut self, number: u32) -> Option<&mut Vec<Completion>> {
        let pipe = self.pipes.get_mut(&number)?;
        if !pipe.is_touched {
            pipe.is_touched = true;
            self.touched.push(number);
        }
        Some(&mut pipe.ready)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use repertoire_core::{Ack, Durability, EntryId, Error, ErrorKind, LeaderEpoch, Lsn};

    use super::{Completion, Pipes};

    fn ack(lsn: u64) -> Ack {
        Ack {
            position: EntryId::new(LeaderEpoch(1), Lsn(lsn)),
            durability: Durability::Disk,
            copies: 2,
        }
    }

    #[test]
    fn outcomes_in_order_are_one_completion() {
        let mut pipes = Pipes::default();
        let (pipe, _) = pipes.open();
        for i in 0..10 {
            pipes.written(pipe, 5 + i, ack(100 + i), Bytes::new());
        }
        // Not the next position: another writer stands between.
        pipes.written(pipe, 15, ack(200), Bytes::new());
        for i in 16..20 {
            pipes.failed(pipe, i, Error::new(ErrorKind::Conflict, "write"));
        }
        let mut taken = Vec::new();
        pipes.take(pipe, &mut taken);
        assert_eq!(taken.len(), 3, "{taken:?}");
        assert_eq!(taken.iter().map(Completion::count).sum::<u64>(), 15);
    }

    #[test]
    fn a_closed_pipe_swallows_what_still_comes() {
        let mut pipes = Pipes::default();
        let (pipe, _) = pipes.open();
        pipes.close(pipe);
        pipes.written(pipe, 1, ack(1), Bytes::new());
        let mut taken = Vec::new();
        pipes.take(pipe, &mut taken);
        assert!(taken.is_empty());
        assert!(pipes.pipes.is_empty(), "it leaves nothing behind");
        let (next, _) = pipes.open();
        assert_ne!(pipe, next);
    }
}
