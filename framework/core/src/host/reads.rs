//! Reads under way: waiting for a verdict, for the engine to get there, or for its answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    EntryId, Error, ErrorKind, GroupId, Lsn, Mono, Outcome, Position, ReadLevel, ReadRequest,
    Reply, StateDigest, Ticket, WriteOutcome,
};

/// What a replica stood at when it handed a read to the engine. The answer may come from another
/// thread, after more has been applied, and belongs to this point all the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadPoint {
    /// The last record handed to the engine before the read.
    pub(super) position: EntryId,
    /// For a digest: what the host keeps of the replicated space.
    pub(super) kept: StateDigest,
}

#[derive(Debug, Default)]
pub(super) struct ReadDesk {
    open: BTreeMap<Ticket, ReadRequest>,
    /// Reads that may be answered once the engine has applied that far.
    parked: BTreeSet<(Lsn, Ticket)>,
    /// Reads that the engine works on.
    asked: BTreeMap<Ticket, ReadPoint>,
}

impl ReadDesk {
    pub(super) fn open(&mut self, ticket: Ticket, request: ReadRequest) {
        self.open.insert(ticket, request);
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<&ReadRequest> {
        self.open.get(&ticket)
    }

    pub(super) fn park(&mut self, ticket: Ticket, at: Lsn) {
        self.parked.insert((at, ticket));
    }

    /// Takes a read that may be answered now that everything up to `applied` is in the engine.
    pub(super) fn next_ready(&mut self, applied: Lsn) -> Option<Ticket> {
        let &(at, ticket) = self.parked.first()?;
        if at > applied {
            return None;
        }
        self.parked.pop_first();
        Some(ticket)
    }

    /// A read goes to the engine.
    pub(super) fn asked(&mut self, ticket: Ticket, point: ReadPoint) {
        self.asked.insert(ticket, point);
    }

    /// The engine answered a read: where it was asked, unless by an engine that was replaced.
    pub(super) fn answered(&mut self, ticket: Ticket) -> Option<ReadPoint> {
        self.asked.remove(&ticket)
    }

    /// Another engine holds the state from now on: it is asked what the old one has not answered, as
    /// soon as it has got as far. Late answers of the old one meet no ticket.
    pub(super) fn engine_replaced(&mut self, mut next_ticket: impl FnMut() -> Ticket) {
        for (ticket, point) in std::mem::take(&mut self.asked) {
            if let Some(request) = self.open.remove(&ticket) {
                let ticket = next_ticket();
                self.open.insert(ticket, request);
                self.parked.insert((point.position.lsn, ticket));
            }
        }
    }

    /// Ends a read; `None` when it was ended before.
    pub(super) fn close(&mut self, ticket: Ticket) -> Option<ReadRequest> {
        self.open.remove(&ticket)
    }

    /// Ends the reads that are late; returns the next deadline. `have` is what the engine has applied.
    pub(super) fn expire(
        &mut self,
        group: GroupId,
        have: EntryId,
        now: Mono,
        replies: &mut Vec<Reply>,
    ) -> Mono {
        let mut next = Mono::NEVER;
        self.open.retain(|_, request| {
            let late = request.deadline <= now;
            if late {
                let error = Error::new(too_late(&request.level, have), "read")
                    .with_outcome(WriteOutcome::NotApplied)
                    .with("group", group);
                let outcome = Outcome::Failed(Box::new(error));
                replies.push(Reply {
                    group,
                    to: request.reply_to,
                    outcome,
                });
            } else {
                next = next.min(request.deadline);
            }
            !late
        });
        let open = &self.open;
        self.parked.retain(|(_, ticket)| open.contains_key(ticket));
        next
    }

    pub(super) fn abandon(&mut self, group: GroupId, error: &Error, replies: &mut Vec<Reply>) {
        self.parked.clear();
        for (_, request) in std::mem::take(&mut self.open) {
            let outcome = Outcome::Failed(Box::new(error.clone()));
            replies.push(Reply {
                group,
                to: request.reply_to,
                outcome,
            });
        }
    }
}

/// A session that waited in vain hears how far the replica was.
fn too_late(level: &ReadLevel, have: EntryId) -> ErrorKind {
    match level {
        ReadLevel::Session(need) => ErrorKind::NotCaughtUp {
            have: Position::Entry(have),
            need: need.clone(),
        },
        ReadLevel::Local | ReadLevel::Leader | ReadLevel::Bounded(_) => ErrorKind::Timeout,
    }
}
