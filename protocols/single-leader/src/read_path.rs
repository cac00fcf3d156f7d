//! Reads: who may answer them, and from which position on.

use std::collections::VecDeque;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Containment, Effects, EntryId, ErrorKind, Lag, Lsn, Mono, Position, ReadLevel, ReadVerdict,
    Ticket,
};

use crate::Message;
use crate::following::Following;
use crate::leading::Leading;
use crate::replica::{Part, SingleLeader};
use crate::state::State;

/// Most reads that wait at one replica. The driver bounds requests by credit and ends them at their
/// deadline; this bound only keeps reads that it gave up from piling up here.
const HELD_MAX: usize = 4096;

/// What a read waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wait {
    /// The replica's history must contain this position.
    Contains(EntryId),
    /// It must contain all of these, made by several leaderships.
    ContainsAll(Box<[EntryId]>),
    /// The leader's first own entry must be visible (Raft §8: until then it does not know what its
    /// predecessors had acknowledged).
    Leadership,
    /// A majority must answer this message of the leadership or a later one.
    Confirmation(u64),
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
    pub(crate) fn on_read(
        &mut self,
        now: Mono,
        ticket: Ticket,
        level: &ReadLevel,
        fx: &mut Effects<Message>,
    ) {
        let wait = match level {
            ReadLevel::Local => {
                let at = self.state.applied;
                fx.reads.push(ReadVerdict::ServeAt { ticket, at });
                return;
            }
            ReadLevel::Session(Position::Entry(need)) => Wait::Contains(*need),
            ReadLevel::Session(Position::Entries(needs)) if !needs.is_empty() => {
                Wait::ContainsAll(needs.as_slice().into())
            }
            ReadLevel::Session(_) => {
                // A position of another family: the token does not belong to this keyspace.
                fx.reads
                    .push(refused(&self.state, ticket, ErrorKind::Malformed));
                return;
            }
            ReadLevel::Leader => Wait::Leadership,
            ReadLevel::Bounded(lag) => match &self.part {
                // A leader that could not prove that it leads could not prove how far it lags.
                Part::Leading(_) => Wait::Leadership,
                Part::Following(following) => {
                    let verdict = decide_bounded(&self.state, following, now, ticket, lag);
                    fx.reads.push(verdict);
                    return;
                }
            },
        };
        let wait = match self.decide(now, ticket, wait) {
            Ok(verdict) => {
                fx.reads.push(verdict);
                return;
            }
            Err(wait) => wait,
        };
        if self.state.held.queue.len() >= HELD_MAX
            && let Some((oldest, _)) = self.state.held.queue.pop_front()
        {
            fx.reads
                .push(refused(&self.state, oldest, ErrorKind::Overloaded));
        }
        self.state.held.queue.push_back((ticket, wait));
    }

    /// Decides the held reads again, after something became visible, was confirmed, or ended.
    pub(crate) fn decide_held(&mut self, now: Mono, fx: &mut Effects<Message>) {
        for (ticket, wait) in std::mem::take(&mut self.state.held.queue) {
            let is_asking = matches!(wait, Wait::Confirmation(_));
            match self.decide(now, ticket, wait) {
                Ok(verdict) => {
                    if let (true, ReadVerdict::ServeAt { .. }) = (is_asking, &verdict) {
                        fx.count("read-confirmed", 1);
                    }
                    fx.reads.push(verdict);
                }
                Err(wait) => self.state.held.queue.push_back((ticket, wait)),
            }
        }
    }

    /// Ends a batch for reads: decides those that can be, and asks for what others wait for.
    pub(crate) fn read_anew(&mut self, now: Mono, before: Lsn, fx: &mut Effects<Message>) {
        let mut is_anew = self.state.applied != before;
        if let Part::Leading(leading) = &mut self.part {
            is_anew |= std::mem::take(&mut leading.is_confirmed_anew);
        }
        if is_anew && !self.state.held.queue.is_empty() {
            self.decide_held(now, fx);
        }
        if let Part::Leading(leading) = &mut self.part {
            leading.ask_for_confirmation(now, &self.state, fx);
        }
    }

    /// Answers the read, or says what it waits for from here on.
    fn decide(&mut self, now: Mono, ticket: Ticket, wait: Wait) -> Result<ReadVerdict, Wait> {
        let elects = self.election.is_some();
        let state = &self.state;
        let needs: &[EntryId] = match &wait {
            Wait::Contains(need) => std::slice::from_ref(need),
            Wait::ContainsAll(needs) => needs,
            Wait::Leadership | Wait::Confirmation(_) => &[],
        };
        if !needs.is_empty() {
            return decide_session(state, ticket, needs).ok_or(wait);
        }
        match (wait, &mut self.part) {
            (wait, Part::Leading(leading)) => {
                leading.decide_read(now, elects, wait, state)?;
                let at = state.applied;
                Ok(ReadVerdict::ServeAt { ticket, at })
            }
            (_, Part::Following(_)) if planted(Bug::FollowerServesLeaderRead) => {
                let at = state.applied;
                Ok(ReadVerdict::ServeAt { ticket, at })
            }
            (_, Part::Following(_)) => {
                let error = Box::new(state.not_leader("read"));
                Ok(ReadVerdict::Refused { ticket, error })
            }
        }
    }
}

impl Leading {
    /// Everything acknowledged so far is visible here, once this leadership's own entries are, and
    /// nobody else leads.
    fn decide_read(
        &mut self,
        now: Mono,
        elects: bool,
        wait: Wait,
        state: &State,
    ) -> Result<(), Wait> {
        if !self.is_ready(state) {
            return Err(wait);
        }
        if !elects || planted(Bug::StaleLeaderReads) || self.holds_lease(now, state) {
            return Ok(());
        }
        match wait {
            Wait::Confirmation(round) if self.is_confirmed_since(round) => Ok(()),
            Wait::Confirmation(_) => Err(wait),
            Wait::Leadership | Wait::Contains(_) | Wait::ContainsAll(_) => {
                // Only what is sent from now on tells of the time after the read came.
                self.is_confirmation_due = true;
                Err(Wait::Confirmation(self.round + 1))
            }
        }
    }
}

fn decide_bounded(
    state: &State,
    following: &Following,
    now: Mono,
    ticket: Ticket,
    lag: &Lag,
) -> ReadVerdict {
    let freshness = &following.freshness;
    let at = state.applied;
    if !following.is_halted() && freshness.is_within(lag, at, now) {
        return ReadVerdict::ServeAt { ticket, at };
    }
    let epoch = state.visible_history.epoch_at(at);
    let have = Position::Entry(EntryId::new(epoch, at));
    let need = freshness.visible().max(at);
    let need = Position::Entry(EntryId::new(state.hard.epoch.max(epoch), need));
    let error = state.error(ErrorKind::NotCaughtUp { have, need }, "read");
    let age = freshness.age(now);
    let age = age.map_or("unknown".to_owned(), |age| format!("{}ms", age.as_millis()));
    let error = error
        .with("age", age)
        .with("age_max", format!("{}ms", lag.age_max.as_millis()));
    let error = Box::new(error);
    ReadVerdict::Refused { ticket, error }
}

fn decide_session(state: &State, ticket: Ticket, needs: &[EntryId]) -> Option<ReadVerdict> {
    if planted(Bug::SessionTokenIgnored) {
        let at = state.applied;
        return Some(ReadVerdict::ServeAt { ticket, at });
    }
    match state.visible_history.missing(needs, state.applied) {
        None => {
            let at = needs.iter().map(|need| need.lsn).max().unwrap_or_default();
            Some(ReadVerdict::ServeAt { ticket, at })
        }
        Some((need, Containment::Discarded)) => {
            let need = Position::Entry(need);
            Some(refused(state, ticket, ErrorKind::Discarded { need }))
        }
        Some((_, Containment::NotYet | Containment::Contained)) => None,
    }
}

fn refused(state: &State, ticket: Ticket, kind: ErrorKind) -> ReadVerdict {
    let error = Box::new(state.error(kind, "read"));
    ReadVerdict::Refused { ticket, error }
}
