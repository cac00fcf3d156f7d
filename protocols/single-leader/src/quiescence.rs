//! Groups that nobody uses: their leader speaks seldom, so that a node may hold thousands of them
//! (CockroachDB quiesces its ranges, TiKV hibernates its regions).
//!
//! ```text
//!            all replicas that are there hold everything, nobody asks for anything
//!   awake ───────────────────────────────────────────────────────────────────────▶ proposed
//!     ▲                                                                               │ each of them
//!     │   a write, a read that asks the leader, a vote request, news of a link,       │ has answered
//!     └── an answer that does not come ◀────────────── quiescent ◀────────────────────┘
//! ```
//!
//! Nothing is promised by it, so nothing can be broken: leases end when no answers come, votes are
//! given by the same rules, and the leader asks before it reads. Only patience changes. A quiescent
//! follower waits until the link to its leader fails, which the transport notices for all groups of
//! a node together, and otherwise for several of the long pauses. A leader that hears of anything
//! unusual wakes, and its next ordinary heartbeat wakes the followers.

use std::time::Duration;

use repertoire_core::{Effects, Input, Mono, NodeId, Now, PeerEvent, ReadLevel};

use crate::Message;
use crate::leading::Leading;
use crate::message::Quiesce;
use crate::plugin::Timer;
use crate::progress::{Phase, Progress};
use crate::replica::{Part, SingleLeader};
use crate::sending::send_empty;
use crate::state::State;

/// Pauses of the leader after which a quiescent follower misses it although the link works: its
/// node lives, and yet it says nothing.
const PATIENCE_PAUSES: u32 = 3;

/// How far a leadership is on its way to rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quiescence {
    /// Nothing has happened since.
    calm_since: Option<Mono>,
    /// The messages up to this one were sent before the others were told.
    told_after: Option<u64>,
    is_quiescent: bool,
    is_stirred: bool,
}

impl Quiescence {
    pub(crate) const fn is_quiescent(&self) -> bool {
        self.is_quiescent
    }

    /// Something happens that wants the group awake.
    pub(crate) const fn stir(&mut self) {
        self.is_stirred = true;
    }
}

/// Whether an input of a leader is more than the everyday business of a group at rest.
pub(crate) const fn stirs(input: &Input<'_, Message>) -> bool {
    match input {
        Input::Propose(_)
        | Input::Descriptor(_)
        | Input::SnapshotSent { .. }
        | Input::SnapshotInstalled { .. } => true,
        Input::Read { level, .. } => !matches!(level, ReadLevel::Local),
        Input::Message { message, .. } => !matches!(message, Message::Ack(_)),
        Input::Peer { event, .. } => !matches!(event, PeerEvent::Writable),
        Input::Timer(_)
        | Input::Durable(_)
        | Input::Applied(_)
        | Input::LogRead { .. }
        | Input::Checkpointed(_)
        | Input::Resolved { .. } => false,
    }
}

impl Leading {
    /// Whether every replica that is there holds and shows everything. One that is away holds nobody
    /// awake: the news that it is back will.
    fn is_calm(&self, now: Mono, state: &State) -> bool {
        let last = state.log.last().lsn;
        let is_settled = |follower: &Progress| {
            follower.phase == Phase::Replicate
                && follower.durable == last
                && follower.commit_sent == last
                && follower.applied == last
        };
        self.is_ready(state)
            && state.applied == last
            && state.held.len() == 0
            && !self.transfer.is_under_way()
            && !self.changes_members(state)
            && self.holds_quorum(now, state)
            && self.followers.iter().all(|f| !f.is_up || is_settled(f))
    }

    fn all_answered_since(&self, round: u64) -> bool {
        let mut present = self.followers.iter().filter(|follower| follower.is_up);
        present.all(|follower| follower.round_answered > round)
    }

    /// At a heartbeat: whether the others are told to rest instead, and how long the leader pauses.
    /// `None` asks for an ordinary heartbeat.
    pub(crate) fn quiesce(
        &mut self,
        now: Mono,
        state: &State,
        fx: &mut Effects<Message>,
    ) -> Option<Duration> {
        let config = &state.config;
        let pause = config.quiescent_heartbeat()?;
        if self.quiescence.is_stirred || !self.is_calm(now, state) && !self.quiescence.is_quiescent
        {
            self.wake(now, fx);
            return None;
        }
        let has_answers = |told: u64| self.all_answered_since(told);
        let is_agreed = self.quiescence.told_after.is_some_and(has_answers);
        let since = *self.quiescence.calm_since.get_or_insert(now);
        if self.quiescence.is_quiescent && !is_agreed {
            fx.count("quiescence-unanswered", state.hard.epoch.0);
            self.wake(now, fx);
            return None;
        }
        if now.since(since) < config.quiescent_after() {
            return None;
        }
        if is_agreed && !self.quiescence.is_quiescent {
            self.quiescence.is_quiescent = true;
            fx.count("leader-quiescent", state.hard.epoch.0);
        }
        if self.quiescence.is_quiescent || self.quiescence.told_after.is_none() {
            self.quiescence.told_after = Some(self.round);
        }
        self.tell_to_rest(pause, state, fx);
        self.date_messages(now, state);
        if self.quiescence.is_quiescent {
            Some(pause)
        } else {
            Some(config.heartbeat())
        }
    }

    fn tell_to_rest(&mut self, pause: Duration, state: &State, fx: &mut Effects<Message>) {
        let pause_ms = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
        for follower in self.followers.iter_mut().filter(|follower| follower.is_up) {
            self.round += 1;
            follower.commit_sent = state.applied;
            let quiesce = Quiesce {
                epoch: state.hard.epoch,
                round: self.round,
                last: state.log.last(),
                pause_ms,
            };
            fx.send(follower.node, Message::Quiesce(quiesce));
        }
    }

    /// Begins to count the calm anew. The quorum of a leader that was at rest is awaited from now on.
    fn wake(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let was = std::mem::take(&mut self.quiescence);
        if was.is_quiescent {
            self.quorum_awaited_since = now;
            fx.count("leader-woken", self.round);
        }
    }

    /// Ends a batch in which something happened: the followers hear at once that the group is awake.
    pub(crate) fn wake_if_stirred(&mut self, now: Mono, state: &State, fx: &mut Effects<Message>) {
        if !self.quiescence.is_stirred {
            return;
        }
        let was_quiescent = self.quiescence.is_quiescent;
        self.wake(now, fx);
        if !was_quiescent || !self.is_active() {
            return;
        }
        let is_certain = self.is_certain(now, state);
        let Self {
            followers, round, ..
        } = self;
        for follower in followers.iter_mut().filter(|follower| follower.is_up) {
            send_empty(follower, round, is_certain, state, fx);
        }
        self.date_messages(now, state);
        fx.set_timer_in(Timer::Heartbeat, now, state.config.heartbeat());
    }
}

impl SingleLeader {
    /// The leader says that it will speak seldom: a heartbeat, and what it asks for is done if this
    /// replica holds and shows all that the leader does.
    pub(crate) fn on_quiesce(
        &mut self,
        now: Now,
        from: NodeId,
        quiesce: Quiesce,
        fx: &mut Effects<Message>,
    ) {
        self.on_message(now, from, Message::Append(quiesce.heartbeat()), fx);
        let is_voter = self.state.is_voter();
        let state = &self.state;
        let obeys = state.hard.epoch == quiesce.epoch && state.hard.leader == Some(from);
        let (Part::Following(following), Some(election)) = (&self.part, &mut self.election) else {
            return;
        };
        let last = quiesce.last;
        let is_settled = following.matched() == last.lsn && state.log.last() == last;
        if is_voter && obeys && is_settled && election.recovery.is_none() {
            let pause = Duration::from_millis(quiesce.pause_ms.into());
            election.rest(pause * PATIENCE_PAUSES, state);
            fx.count("follower-quiescent", quiesce.epoch.0);
        }
    }

    /// The link to the leader failed, or somebody asks for votes: a follower at rest waits for the
    /// leader no longer than an election timeout after `quiet_since`.
    pub(crate) fn wake_follower(
        &mut self,
        now: Mono,
        quiet_since: Mono,
        fx: &mut Effects<Message>,
    ) {
        let Some(election) = self.election.as_mut().filter(|e| e.is_resting()) else {
            return;
        };
        let deadline = election.wake(quiet_since, &self.state);
        fx.set_timer_in(Timer::Election, now, deadline.since(now));
        fx.count("follower-woken", self.state.hard.epoch.0);
    }
}
