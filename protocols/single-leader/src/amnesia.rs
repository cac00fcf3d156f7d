//! A voter that may have forgotten what it promised: its log is damaged, or its disk is another one.
//!
//! It may have voted in epochs that it does not know, so a second vote there would make two leaders.
//! It may have acknowledged records that it does not hold, so its vote for a shorter log would lose
//! them. Until neither can happen it does not lead, and its vote is blank or not given at all:
//!
//! ```text
//!             every other voter has answered,        it holds durably all that the leader of that
//!             enough of them with whole memories     epoch or a later one had when it was asked
//!   Unknown ──────────────────────────────▶ Bounded ──────────────────────────────▶ None
//!   no votes                                blank votes
//! ```
//!
//! *Unknown → Bounded*: whoever can still use a forgotten vote asked for it in an epoch that its own
//! disk holds, so all forgotten votes were given up to the highest epoch that the others name. That
//! one counts as spent. Nor may the replica obey leaders whose successor it has forgotten; enough
//! answers are those that meet each quorum that can have elected one.
//!
//! *Bounded → None*: the leader of an epoch holds everything that was acknowledged in earlier ones,
//! and everything that it ordered itself.
//!
//! A replica on an empty disk cannot tell a new group from its own second life. Where all the others
//! hold as little as it does, the group is new, or might as well be. So the first start of a group needs all its voters; later
//! starts do not. Viewstamped Replication knows such a recovery (Liskov and Cowling 2012, §4.3), from
//! fewer answers; that these are too few to hold back forgotten votes is shown by Michael et al. 2017,
//! "Recovering Shared Objects Without Stable Storage".
//!
//! All this is for the members with which a group was founded. Once members have changed, nobody answers
//! any more: a voter that has forgotten something is removed, and comes back on a fresh disk; see
//! [`membership`](crate::membership).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Effects, EntryId, LeaderEpoch, LogOp, Mono, NodeId};

use crate::Message;
use crate::election::Election;
use crate::electorate::{election_quorum, voters};
use crate::message::{RecoveryAnswer, RecoveryRequest};
use crate::plugin::Timer;
use crate::replica::{Part, SingleLeader};
use crate::state::{HardState, State};

/// Has the vote of a replica that gives it to nobody: no node has that number.
const NOBODY: NodeId = NodeId(0);

/// What a voter may have forgotten. Part of the hard state: append-only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Amnesia {
    /// Nothing.
    #[default]
    None,
    /// Votes in any epoch, and acknowledgements.
    Unknown,
    /// Votes up to the epoch of the hard state, and acknowledgements.
    Bounded,
    /// Nothing, as the disk that it is; but another one may have had its name. See `membership`.
    Newcomer,
}

/// How a voter finds out what it may have forgotten.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// The last answer of each other voter to this boot.
    answers: BTreeMap<NodeId, RecoveryAnswer>,
}

impl Recovery {
    /// Voters that have not answered.
    pub(crate) fn missing(&self, state: &State) -> usize {
        others(state)
            .filter(|node| !self.answers.contains_key(node))
            .count()
    }

    /// Whether no voter holds anything: then nothing is left to be lost.
    fn is_new_group(&self, state: &State) -> bool {
        let is_empty = state.log.last() == EntryId::ZERO;
        is_empty && self.missing(state) == 0 && self.answers.values().all(|answer| answer.is_empty)
    }

    /// The highest epoch that anybody knows.
    fn highest_epoch(&self, state: &State) -> LeaderEpoch {
        let epochs = self.answers.values().map(|answer| answer.epoch);
        epochs.fold(state.hard.epoch, LeaderEpoch::max)
    }

    /// The highest epoch in which this replica can have voted, once that is known.
    fn bound(&self, state: &State) -> Option<LeaderEpoch> {
        let whole = self.answers.values().filter(|answer| answer.is_whole);
        let count = voters(state).count();
        let quorum = election_quorum(count, state.descriptor.options.acks);
        let is_known = self.missing(state) == 0 && whole.count() + quorum > count;
        is_known.then(|| self.highest_epoch(state))
    }
}

/// The voters but this one.
fn others(state: &State) -> impl Iterator<Item = NodeId> + '_ {
    voters(state).filter(|node| *node != state.me)
}

impl SingleLeader {
    /// Whether this voter may have forgotten votes or acknowledgements: then it asks for no vote.
    pub(crate) fn is_amnesiac(&self) -> bool {
        self.election.as_ref().is_some_and(Election::is_amnesiac)
    }

    /// Whether the replica may obey a leader, and give a vote, blank or not. One that does not know
    /// which epochs are over may not.
    pub(crate) fn may_follow(&self) -> bool {
        let amnesia = self.state.hard.amnesia;
        let has_forgotten =
            self.is_amnesiac() || self.election.is_some() && amnesia == Amnesia::Unknown;
        !has_forgotten || amnesia == Amnesia::Bounded || planted(Bug::AmnesiacVotes)
    }

    /// Whether the replica may have forgotten what it promised, or takes part in nothing for that reason.
    pub(crate) fn is_forgetful(&self) -> bool {
        let is_lost = self.state.hard.amnesia == Amnesia::Unknown;
        self.election
            .as_ref()
            .is_some_and(|e| e.recovery.is_some() || is_lost)
    }

    /// Asks those for their answer from whom a new one is needed, and again a heartbeat later.
    pub(crate) fn ask_for_recovery(&self, now: Mono, fx: &mut Effects<Message>) {
        let state = &self.state;
        let Some(recovery) = self.election.as_ref().and_then(|e| e.recovery.as_ref()) else {
            return;
        };
        let boot = state.boot;
        for to in others(state) {
            // Who had forgotten something may remember now, and the leader may be another one.
            let answer = recovery.answers.get(&to);
            let is_due = answer.is_none_or(|answer| !answer.is_whole);
            let is_due = is_due || state.hard.leader == Some(to);
            if is_due {
                let request = RecoveryRequest { boot };
                fx.send(to, Message::RecoveryRequest(request));
            }
        }
        let pause = state.config.heartbeat() * 2;
        fx.set_timer_in(Timer::Election, now, pause);
    }

    /// Tells a voter what it needs to know to remember.
    pub(crate) fn on_recovery_request(
        &self,
        from: NodeId,
        request: RecoveryRequest,
        fx: &mut Effects<Message>,
    ) {
        let state = &self.state;
        let is_voter = state.is_voter() && voters(state).any(|node| node == from);
        if state.log.roll().is_logged() {
            // Voters that it does not know of may hold its votes. It comes back as a new member.
            fx.count("recovery-refused", from.0);
            return;
        }
        let Some(election) = self.election.as_ref().filter(|_| is_voter) else {
            return;
        };
        let leads = matches!(self.part, Part::Leading(_));
        let answer = RecoveryAnswer {
            boot: request.boot,
            // One that is not durable yet does no harm: it is only higher.
            epoch: state.hard.epoch,
            is_whole: election.recovery.is_none(),
            is_empty: state.log.last() == EntryId::ZERO,
            leads_upto: leads.then(|| state.log.last().lsn),
        };
        fx.send(from, Message::RecoveryAnswer(answer));
        let recovery = election.recovery.as_ref();
        if recovery.is_some_and(|recovery| !recovery.answers.contains_key(&from)) {
            // It was not there yet when it was asked.
            let boot = state.boot;
            fx.send(from, Message::RecoveryRequest(RecoveryRequest { boot }));
        }
    }

    pub(crate) fn on_recovery_answer(
        &mut self,
        now: Mono,
        from: NodeId,
        answer: RecoveryAnswer,
        fx: &mut Effects<Message>,
    ) {
        let state = &mut self.state;
        if answer.boot != state.boot || !others(state).any(|node| node == from) {
            return;
        }
        let Some(election) = &mut self.election else {
            return;
        };
        let Some(recovery) = &mut election.recovery else {
            return;
        };
        recovery.answers.insert(from, answer);
        if recovery.is_new_group(state) {
            let epoch = recovery.highest_epoch(state);
            election.recovery = None;
            state.unproven = Amnesia::None;
            if epoch.0 > 0 || state.hard.amnesia != Amnesia::None {
                // Somebody has asked for votes, perhaps for this one: nobody gets it, which must not look
                // as if this replica had been appointed.
                let vote = if state.is_first() { state.me } else { NOBODY };
                let hard = HardState {
                    vote: Some(vote),
                    ..HardState::of(epoch, None)
                };
                state.establish(hard, fx);
            }
            self.begin_elections(now, fx);
            return;
        }
        let amnesia = state.hard.amnesia;
        if amnesia != Amnesia::Bounded
            && let Some(epoch) = recovery.bound(state)
        {
            let hard = HardState {
                epoch,
                leader: None,
                vote: Some(state.me),
                amnesia: Amnesia::Bounded,
                ..state.hard
            };
            state.unproven = Amnesia::None;
            state.establish(hard, fx);
            // It may have promised a leader to wait for it.
            election.bind(now);
            fx.count("amnesia-bounded", epoch.0);
        }
    }

    /// Ends a batch: remembers, once this replica holds all that its leader had when it was asked.
    pub(crate) fn remember(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let state = &mut self.state;
        let (Some(election), Part::Following(following)) = (&mut self.election, &self.part) else {
            return;
        };
        let (Some(recovery), Some(leader)) = (&election.recovery, state.hard.leader) else {
            return;
        };
        let Some(answer) = recovery.answers.get(&leader) else {
            return;
        };
        let held = following.matched().min(state.log.durable());
        let holds_all =
            answer.leads_upto.is_some_and(|upto| held >= upto) || planted(Bug::AmnesiaEndsEarly);
        let is_bounded = state.hard.amnesia == Amnesia::Bounded && state.is_established();
        if is_bounded && holds_all && answer.epoch == state.hard.epoch && !following.is_halted() {
            election.recovery = None;
            let hard = HardState {
                amnesia: Amnesia::None,
                ..state.hard
            };
            state.establish(hard, fx);
            fx.log(LogOp::Repaired);
            fx.count("voter-recovered", hard.epoch.0);
            self.await_leader(now, fx);
        }
    }
}
