//! Reads: who may answer them, and from which position on.

use std::collections::VecDeque;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Containment, Effects, EntryId, ErrorKind, Position, ReadLevel, ReadVerdict, Ticket,
};

use crate::Message;
use crate::leading::Leading;
use crate::replica::{Part, SingleLeader};
use crate::state::State;

/// Most reads that wait at one replica. The driver bounds requests by credit and ends them at their
/// deadline; this bound only keeps reads that it gave up from piling up here.
const HELD_MAX: usize = 4096;

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The replica's history must contain this position.
    Contains(EntryId),
    /// The leader's first own entry must be visible (Raft §8: until then it does not know what its
    /// predecessors had acknowledged).
    Leadership,
}

/// Reads that cannot be decided yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct HeldReads {
    queue: VecDeque<(Ticket, Wait)>,
}

impl HeldReads {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl SingleLeader {
    /// Decides whether and from which position on a read may be answered, or holds it.
    pub(crate) fn on_read(&mut self, ticket: Ticket, level: &ReadLevel, fx: &mut Effects<Message>) {
        let wait = match level {
            ReadLevel::Local => {
                let at = self.state.applied;
                fx.reads.push(ReadVerdict::ServeAt { ticket, at });
                return;
            }
            ReadLevel::Session(Position::Entry(need)) => Wait::Contains(*need),
            ReadLevel::Session(Position::Frontier(_) | Position::Dots(_)) => {
                // A position of another family: the token does not belong to this keyspace.
                fx.reads
                    .push(refused(&self.state, ticket, ErrorKind::Malformed));
                return;
            }
            ReadLevel::Leader => Wait::Leadership,
        };
        if let Some(verdict) = self.decide(ticket, wait) {
            fx.reads.push(verdict);
            return;
        }
        if self.state.held.queue.len() >= HELD_MAX
            && let Some((oldest, _)) = self.state.held.queue.pop_front()
        {
            fx.reads
                .push(refused(&self.state, oldest, ErrorKind::Overloaded));
        }
        self.state.held.queue.push_back((ticket, wait));
    }

    /// Decides the held reads again, after something became visible or a leadership ended.
    pub(crate) fn decide_held(&mut self, fx: &mut Effects<Message>) {
        for (ticket, wait) in std::mem::take(&mut self.state.held.queue) {
            match self.decide(ticket, wait) {
                Some(verdict) => fx.reads.push(verdict),
                None => self.state.held.queue.push_back((ticket, wait)),
            }
        }
    }

    fn decide(&self, ticket: Ticket, wait: Wait) -> Option<ReadVerdict> {
        match (wait, &self.part) {
            (Wait::Contains(need), _) => decide_session(&self.state, ticket, need),
            (Wait::Leadership, Part::Leading(leading)) => leading.decide_read(&self.state, ticket),
            (Wait::Leadership, Part::Following(_)) if planted(Bug::FollowerServesLeaderRead) => {
                let at = self.state.applied;
                Some(ReadVerdict::ServeAt { ticket, at })
            }
            (Wait::Leadership, Part::Following(_)) => {
                let error = Box::new(self.state.not_leader("read"));
                Some(ReadVerdict::Refused { ticket, error })
            }
        }
    }
}

impl Leading {
    /// Everything acknowledged so far is visible here, once this leadership's own entries are.
    fn decide_read(&self, state: &State, ticket: Ticket) -> Option<ReadVerdict> {
        let at = state.applied;
        self.is_ready(state)
            .then_some(ReadVerdict::ServeAt { ticket, at })
    }
}

fn decide_session(state: &State, ticket: Ticket, need: EntryId) -> Option<ReadVerdict> {
    match state.visible_history.contains(need, state.applied) {
        Containment::Contained => {
            let at = need.lsn;
            Some(ReadVerdict::ServeAt { ticket, at })
        }
        Containment::NotYet => None,
        Containment::Discarded => {
            let need = Position::Entry(need);
            Some(refused(state, ticket, ErrorKind::Discarded { need }))
        }
    }
}

fn refused(state: &State, ticket: Ticket, kind: ErrorKind) -> ReadVerdict {
    let error = Box::new(state.error(kind, "read"));
    ReadVerdict::Refused { ticket, error }
}
