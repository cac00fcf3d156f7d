//! Reads: which are answered here, and from which position on.
//!
//! Van Renesse and Schneider answer reads at the tail, which is the first to know what is safe. Here a
//! read at level `leader` is answered at the head, because a client of repertoire keeps one node in mind
//! for its writes and these reads. Nothing is visible anywhere before the head has heard from the tail,
//! and it is visible at the head first: so a read there is linearizable, and it never misses what its
//! client has read at another replica before. Served at the tail without that delay, reads would be as
//! right; served at both, wrong: a client that asked the tail first would see time go back at the head.

use std::collections::VecDeque;

use repertoire_core::{
    Containment, Effects, EntryId, Error, ErrorKind, Position, ReadLevel, ReadVerdict, Ticket,
};

use crate::{Chain, Message};

/// Reads that may wait. Beyond, the oldest are refused.
const HELD_MAX: usize = 4096;

/// What a read waits for.
#[derive(Debug)]
enum Wait {
    /// This replica has applied these records.
    Contains(Box<[EntryId]>),
    /// The head has committed what its former selves ordered.
    Ready,
}

/// Reads that cannot be decided yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct HeldReads(VecDeque<(Ticket, Wait)>);

impl HeldReads {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Chain {
    /// Decides whether and from which position on a read may be answered, or holds it.
    pub(crate) fn on_read(&mut self, ticket: Ticket, level: &ReadLevel, fx: &mut Effects<Message>) {
        let wait = match level {
            ReadLevel::Local => {
                let at = self.applied;
                fx.reads.push(ReadVerdict::ServeAt { ticket, at });
                return;
            }
            // Only the head can tell how far others have got.
            ReadLevel::Leader | ReadLevel::Bounded(_) => Wait::Ready,
            ReadLevel::Session(Position::Entry(need)) => Wait::Contains([*need].into()),
            ReadLevel::Session(Position::Entries(needs)) => Wait::Contains(needs.as_slice().into()),
            ReadLevel::Session(Position::Frontier(_) | Position::Dots(_)) => {
                fx.reads.push(self.refuse(ticket, ErrorKind::Malformed));
                return;
            }
        };
        self.reads.0.push_back((ticket, wait));
        if self.reads.len() > HELD_MAX
            && let Some((oldest, _)) = self.reads.0.pop_front()
        {
            fx.reads.push(self.refuse(oldest, ErrorKind::Overloaded));
        }
        self.decide_held(fx);
    }

    /// Decides the reads that wait, after more was applied.
    pub(crate) fn decide_held(&mut self, fx: &mut Effects<Message>) {
        for (ticket, wait) in std::mem::take(&mut self.reads.0) {
            match self.decide(ticket, &wait) {
                Some(verdict) => fx.reads.push(verdict),
                None => self.reads.0.push_back((ticket, wait)),
            }
        }
    }

    // ANCHOR: read
    fn decide(&self, ticket: Ticket, wait: &Wait) -> Option<ReadVerdict> {
        match (wait, &self.heading) {
            (Wait::Ready, Some(heading)) => {
                let at = self.applied;
                let verdict = ReadVerdict::ServeAt { ticket, at };
                heading.is_ready(at).then_some(verdict)
            }
            (Wait::Ready, None) => {
                let hint = Some(self.place.head);
                Some(self.refuse(ticket, ErrorKind::NotLeader { hint }))
            }
            (Wait::Contains(needs), _) => match self.log.history.missing(needs, self.applied) {
                None => {
                    let at = needs.iter().map(|need| need.lsn).max();
                    let at = at.unwrap_or(self.applied);
                    Some(ReadVerdict::ServeAt { ticket, at })
                }
                Some((need, Containment::Discarded)) => {
                    let need = Position::Entry(need);
                    Some(self.refuse(ticket, ErrorKind::Discarded { need }))
                }
                Some((_, Containment::NotYet | Containment::Contained)) => None,
            },
        }
    }
    // ANCHOR_END: read

    fn refuse(&self, ticket: Ticket, kind: ErrorKind) -> ReadVerdict {
        let error = Box::new(Error::new(kind, "read").with("group", self.group));
        ReadVerdict::Refused { ticket, error }
    }
}
