//! Writes that were proposed and wait for their fate.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::flights::Flights;
use crate::sabotage::{Bug, planted};
use crate::{
    Ack, Durability, EntryId, Error, GroupId, Lsn, Mono, Outcome, ProposalId, Reply, ReplyHandle,
    RequestId, WriteOutcome,
};

/// Who waits for one record.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) id: RequestId,
    pub(super) reply_to: ReplyHandle,
    pub(super) deadline: Mono,
    pub(super) result: Bytes,
    /// Set once the deadline passed and the client heard "unknown".
    pub(super) answered: bool,
}

/// Where answers go.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    pub(super) group: GroupId,
    pub(super) flights: &'a mut Flights,
    pub(super) replies: &'a mut Vec<Reply>,
}

impl Answers<'_> {
    /// Ends a write: its client hears `outcome`, and so does every retry that joined it.
    pub(super) fn end(&mut self, waiter: &Waiter, outcome: Outcome) {
        self.flights
            .finish(self.group, &waiter.id, &outcome, self.replies);
        if !waiter.answered {
            self.replies.push(Reply {
                group: self.group,
                to: waiter.reply_to,
                outcome,
            });
        }
    }

    fn fail_all(&mut self, waiters: &[Waiter], error: &Error) {
        for waiter in waiters {
            self.end(waiter, Outcome::Failed(Box::new(error.clone())));
        }
    }
}

#[derive(Debug)]
struct Pending {
    id: ProposalId,
    /// Its first record, once it has a place in the log.
    first: Option<EntryId>,
    earliest_deadline: Mono,
    /// One per record, in order.
    waiters: Vec<Waiter>,
    /// Of the body.
    bytes: usize,
    /// Waiters that heard "unknown".
    given_up: usize,
}

/// Proposals in order, each with those who wait for its records.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    queue: VecDeque<Pending>,
    bytes: usize,
    given_up: usize,
}

impl PendingWrites {
    pub(super) fn push(&mut self, id: ProposalId, bytes: usize, waiters: Vec<Waiter>) {
        self.bytes += bytes;
        let earliest_deadline = waiters
            .iter()
            .map(|w| w.deadline)
            .min()
            .unwrap_or(Mono::NEVER);
        self.queue.push_back(Pending {
            id,
            first: None,
            earliest_deadline,
            waiters,
            bytes,
            given_up: 0,
        });
    }

    /// Bytes of the bodies.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes whose clients do not wait any more.
    pub(super) const fn given_up(&self) -> usize {
        self.given_up
    }

    fn forget(&mut self, pending: &Pending) {
        self.bytes -= pending.bytes;
        self.given_up -= pending.given_up;
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.iter().map(|pending| pending.waiters.len()).sum()
    }

    pub(super) fn place(&mut self, id: ProposalId, first: EntryId) {
        let index = self.queue.partition_point(|pending| pending.id < id);
        if let Some(pending) = self.queue.get_mut(index).filter(|pending| pending.id == id) {
            pending.first = Some(first);
        }
    }

    pub(super) fn acked(
        &mut self,
        through: ProposalId,
        copies: u8,
        durability: Durability,
        answers: &mut Answers<'_>,
    ) {
        while let Some(pending) = self.queue.pop_front_if(|pending| pending.id <= through) {
            self.forget(&pending);
            let Some(first) = pending.first else {
                debug_assert!(false, "acknowledged without a place in the log");
                continue;
            };
            for (index, mut waiter) in (0_u64..).zip(pending.waiters) {
                let position = EntryId::new(first.epoch, Lsn(first.lsn.0 + index));
                let ack = Ack {
                    position,
                    durability,
                    copies,
                };
                let result = std::mem::take(&mut waiter.result);
                answers.end(&waiter, Outcome::Written { ack, result });
            }
        }
    }

    pub(super) fn refuse(&mut self, id: ProposalId, error: &Error, answers: &mut Answers<'_>) {
        let index = self.queue.partition_point(|pending| pending.id < id);
        if self
            .queue
            .get(index)
            .is_some_and(|pending| pending.id == id)
            && let Some(pending) = self.queue.remove(index)
        {
            self.forget(&pending);
            answers.fail_all(&pending.waiters, error);
        }
    }

    pub(super) fn unknown(&mut self, from: ProposalId, error: &Error, answers: &mut Answers<'_>) {
        let index = self.queue.partition_point(|pending| pending.id < from);
        let error = error.clone().with_outcome(WriteOutcome::Unknown);
        for pending in self.queue.split_off(index) {
            self.forget(&pending);
            answers.fail_all(&pending.waiters, &error);
        }
    }

    /// Answers waiters whose deadline has passed with `timeout`; the writes stay under way.
    /// Returns the next deadline.
    pub(super) fn expire(&mut self, now: Mono, timeout: &Error, answers: &mut Answers<'_>) -> Mono {
        let mut next = Mono::NEVER;
        for pending in &mut self.queue {
            if pending.earliest_deadline <= now {
                let late = |w: &&mut Waiter| !w.answered && w.deadline <= now;
                for waiter in pending.waiters.iter_mut().filter(late) {
                    waiter.answered = true;
                    pending.given_up += 1;
                    self.given_up += 1;
                    let outcome = Outcome::Failed(Box::new(timeout.clone()));
                    answers.replies.push(Reply {
                        group: answers.group,
                        to: waiter.reply_to,
                        outcome,
                    });
                    let is_overdue = now.since(waiter.deadline) > Duration::from_millis(1);
                    if is_overdue && planted(Bug::OverdueWriteForgotten) {
                        answers.flights.forget(&waiter.id);
                    }
                }
                let left = pending
                    .waiters
                    .iter()
                    .filter(|w| !w.answered)
                    .map(|w| w.deadline);
                pending.earliest_deadline = left.min().unwrap_or(Mono::NEVER);
            }
            next = next.min(pending.earliest_deadline);
        }
        next
    }

    pub(super) fn abandon(&mut self, error: &Error, answers: &mut Answers<'_>) {
        (self.bytes, self.given_up) = (0, 0);
        for pending in std::mem::take(&mut self.queue) {
            let placed = pending.first.is_some();
            let outcome = if placed {
                WriteOutcome::Unknown
            } else {
                WriteOutcome::NotApplied
            };
            answers.fail_all(&pending.waiters, &error.clone().with_outcome(outcome));
        }
    }
}
