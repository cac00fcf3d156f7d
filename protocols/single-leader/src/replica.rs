//! The replica: which input goes where.

use std::sync::Arc;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Admission, Descriptor, Effects, Input, LogSeq, Mono, NodeId, Now, PeerEvent, TimerKey,
};

use crate::election::Election;
use crate::following::Following;
use crate::leading::Leading;
use crate::message::{Fenced, Message};
use crate::plugin::Timer;
use crate::quiescence::stirs;
use crate::state::State;

/// A replica of a single-leader group: one replica orders all writes, the others follow it.
#[derive(Debug)]
pub struct SingleLeader {
    pub(crate) state: State,
    pub(crate) part: Part,
    /// In groups that elect their leaders.
    pub(crate) election: Option<Election>,
}

/// What a replica does in its group.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one per replica, and it lives as long as the replica"
)]
pub(crate) enum Part {
    /// Orders writes.
    Leading(Leading),
    /// Holds what a leader ordered.
    Following(Following),
}

impl SingleLeader {
    pub(crate) fn on_input(
        &mut self,
        now: Now,
        input: Input<'_, Message>,
        fx: &mut Effects<Message>,
    ) {
        if let Part::Leading(leading) = &mut self.part
            && stirs(&input)
        {
            leading.quiescence.stir();
        }
        match input {
            Input::Propose(proposals) => self.on_propose(proposals, fx),
            Input::Read { ticket, level } => self.on_read(now.mono, ticket, level, fx),
            Input::Message { from, message } => self.on_message(now, from, message, fx),
            Input::Timer(key) => self.on_timer(now, Timer::from_key(key), fx),
            Input::Durable(seq) => self.on_durable(now, seq, fx),
            Input::Applied(lsn) => {
                let applied = lsn.min(self.state.applied);
                self.state.engine_applied = self.state.engine_applied.max(applied);
            }
            Input::LogRead { ticket, slice } => {
                if let Part::Leading(leading) = &mut self.part {
                    leading.on_log_read(now, ticket, slice, &self.state, fx);
                }
            }
            Input::Peer { peer, event } => match &mut self.part {
                Part::Leading(leading) => leading.on_peer(peer, event, fx),
                Part::Following(_) if event == PeerEvent::Up => {
                    self.on_peer_up(now.mono, peer, fx);
                }
                Part::Following(_) if matches!(event, PeerEvent::Down | PeerEvent::Silent) => {
                    self.on_peer_down(now.mono, peer, fx);
                }
                Part::Following(_) => {}
            },
            Input::Descriptor(descriptor) => self.on_descriptor(descriptor, fx),
            Input::SnapshotSent { to, position } => {
                if let Part::Leading(leading) = &mut self.part {
                    leading.on_snapshot_sent(now, to, position, &self.state);
                }
            }
            Input::SnapshotInstalled { position, frontier } => {
                self.on_snapshot_installed(now, position, &frontier, fx);
            }
            Input::Checkpointed(position) => self.on_checkpointed(position, fx),
            // One replica orders all writes: there are no conflicts to resolve.
            Input::Resolved { .. } => fx.count("input-unexpected", 1),
        }
    }

    /// Ends a batch: makes visible what can be, then sends, so that entries take the news along.
    pub(crate) fn end_batch(&mut self, now: Now, fx: &mut Effects<Message>) {
        let before = self.state.applied;
        self.state.now = now;
        match &mut self.part {
            Part::Leading(leading) => {
                leading.advance(&mut self.state, fx);
                leading.advance_members(now, &mut self.state, fx);
                leading.feed_all(now, &self.state, fx);
                leading.advance_transfer(&self.state, fx);
                leading.wake_if_stirred(now.mono, &self.state, fx);
            }
            Part::Following(following) => {
                following.advance(&mut self.state, fx);
                following.answer(now.mono, &self.state, fx);
            }
        }
        self.notice_own_role(now.mono, fx);
        self.remember(now.mono, fx);
        self.ask_voters(fx);
        if let Some(election) = &mut self.election {
            election.answer(&self.state, fx);
        }
        self.read_anew(now.mono, before, fx);
        self.announce(fx);
    }

    /// Says whether this replica takes writes, when that has changed.
    fn announce(&mut self, fx: &mut Effects<Message>) {
        let admission = match &self.part {
            Part::Leading(leading) if leading.transfer.is_under_way() => Admission::Paused,
            Part::Leading(leading) if leading.has_taken_over(&self.state) => Admission::Open,
            Part::Leading(_) => Admission::Wait,
            Part::Following(_) => Admission::Closed {
                leader: self.state.leader_hint(),
            },
        };
        if self.state.admission != Some(admission) {
            self.state.admission = Some(admission);
            fx.admission = Some(admission);
        }
    }

    pub(crate) fn on_message(
        &mut self,
        now: Now,
        from: NodeId,
        message: Message,
        fx: &mut Effects<Message>,
    ) {
        // Members that this replica does not know of yet may lead, where leaders are elected. Nobody else
        // than whom it asked has anything to answer.
        let may_be_new = self.election.is_some() && !message.is_answer();
        if !may_be_new && !self.state.log.roll().knows(from) {
            fx.count("message-from-stranger", from.0);
            return;
        }
        let may_follow = self.may_follow();
        match (message, &mut self.part) {
            (Message::Append(append), Part::Leading(_)) => {
                if append.epoch > self.state.hard.epoch {
                    self.stand_down(now.mono, fx);
                    self.on_message(now, from, Message::Append(append), fx);
                } else {
                    let (seen, own) = (self.state.hard.epoch, append.epoch);
                    fx.send(from, Message::Fenced(Fenced { seen, own }));
                    fx.count("leader-fenced", append.epoch.0);
                }
            }
            (Message::Append(append), Part::Following(_)) if !may_follow => {
                fx.count("append-to-amnesiac", append.epoch.0);
            }
            (Message::Append(append), Part::Following(_))
                if !self.state.is_known_to(append.epoch) =>
            {
                fx.count("append-to-newcomer", append.epoch.0);
            }
            (Message::Append(append), Part::Following(following)) => {
                let epoch = append.epoch;
                following.on_append(now.mono, from, append, &mut self.state, fx);
                let hard = &self.state.hard;
                if hard.epoch == epoch && hard.leader == Some(from) {
                    self.heard_leader(now.mono, fx);
                }
            }
            (Message::Welcome(welcome), _) => self.on_welcome(welcome, fx),
            (Message::Quiesce(quiesce), _) => self.on_quiesce(now, from, quiesce, fx),
            (Message::Ack(ack), Part::Leading(leading)) => {
                leading.on_ack(now, from, &ack, &self.state, fx);
            }
            (Message::Reject(reject), Part::Leading(leading)) => {
                leading.on_reject(now, from, &reject, &self.state, fx);
            }
            (Message::Fenced(fenced), Part::Leading(_)) => self.on_fenced(now.mono, fenced, fx),
            (Message::VoteRequest(request), _) => {
                self.on_vote_request(now.mono, from, request, fx);
            }
            (Message::Vote(vote), Part::Following(_)) => self.on_vote(now, from, vote, false, fx),
            (Message::BlankVote(vote), Part::Following(_)) => {
                self.on_vote(now, from, vote, true, fx);
            }
            (Message::TakeOver(wish), Part::Following(_)) => {
                self.on_take_over(now, from, wish, fx);
            }
            (Message::RecoveryRequest(request), _) => self.on_recovery_request(from, request, fx),
            (Message::RecoveryAnswer(answer), _) => {
                self.on_recovery_answer(now.mono, from, answer, fx);
            }
            // Votes that came after there were enough, and wishes that came true.
            (Message::Vote(_) | Message::BlankVote(_) | Message::TakeOver(_), Part::Leading(_)) => {
            }
            // Answers to what this replica said while it led.
            (Message::Ack(_) | Message::Reject(_) | Message::Fenced(_), Part::Following(_)) => {}
        }
    }

    /// Somebody obeys a newer leadership, or another one of this very epoch. Who leads is not said,
    /// so this replica does not lead again before it has followed that leader: its log may lack
    /// what the group has acknowledged.
    fn on_fenced(&mut self, now: Mono, fenced: Fenced, fx: &mut Effects<Message>) {
        let is_late = fenced.own != self.state.hard.epoch && !planted(Bug::FenceFromThePast);
        if is_late || fenced.seen < fenced.own {
            fx.count("fence-outdated", fenced.own.0);
            return;
        }
        self.stand_down(now, fx);
        self.state.adopt(fenced.seen, None, fx);
    }

    /// Ends a leadership.
    pub(crate) fn stand_down(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let Part::Leading(leading) = &mut self.part else {
            return;
        };
        leading.end(&self.state, fx);
        self.part = Part::Following(Following::default());
        fx.clear_timer(Timer::Heartbeat);
        fx.clear_timer(Timer::CommitNotice);
        fx.count("leader-stood-down", self.state.hard.epoch.0);
        self.await_leader(now, fx);
        self.decide_held(now, fx);
    }

    fn on_timer(&mut self, now: Now, timer: Option<Timer>, fx: &mut Effects<Message>) {
        match (timer, &mut self.part) {
            (Some(Timer::Heartbeat), Part::Leading(leading)) => {
                leading.on_heartbeat(now, &self.state, fx);
                leading.expire_transfer(now.mono, fx);
                if let Some(heir) = leading.successor(&self.state) {
                    // What is refused is tried again with the next heartbeat.
                    let _ = self.on_transfer(now.mono, heir);
                }
                self.give_up_without_quorum(now.mono, fx);
            }
            (Some(Timer::Election), Part::Following(_)) => self.on_election_timer(now, fx),
            (Some(Timer::CommitNotice), Part::Leading(leading)) => {
                leading.on_commit_notice(now.mono, &self.state, fx);
            }
            (Some(Timer::Fetch), Part::Following(following)) => {
                following.fetch(now.mono, &self.state, fx);
            }
            // A timer of a part that is over.
            (Some(Timer::Heartbeat | Timer::CommitNotice), Part::Following(_))
            | (Some(Timer::Fetch | Timer::Election), Part::Leading(_))
            | (None, Part::Leading(_) | Part::Following(_)) => {}
        }
    }

    fn on_durable(&mut self, now: Now, seq: LogSeq, fx: &mut Effects<Message>) {
        self.state.on_durable(seq);
        if let Part::Leading(leading) = &mut self.part
            && !leading.is_active()
            && self.state.is_established()
        {
            leading.begin(now, &mut self.state, fx);
        }
        self.count_votes(now, fx);
    }

    /// Takes new settings over. The leader that was named, and the replicas, are those of the boot:
    /// members change by entries of the group's own log, which descriptors only mirror.
    fn on_descriptor(&mut self, descriptor: Arc<Descriptor>, fx: &mut Effects<Message>) {
        let shard = self.state.group.shard;
        let Ok(config) = crate::Config::of(&descriptor) else {
            fx.count("descriptor-invalid", descriptor.config_epoch.0);
            return;
        };
        let same_leader = config.failover == self.state.config.failover
            && config.leader_of(&descriptor, shard)
                == self.state.config.leader_of(&self.state.descriptor, shard);
        let is_mirror = self.state.log.roll().is_logged();
        let same_replicas =
            descriptor.replicas(shard) == self.state.descriptor.replicas(shard) || is_mirror;
        if same_leader && same_replicas {
            self.state.config = config;
            self.state.descriptor = descriptor;
        } else {
            fx.count("descriptor-needs-restart", descriptor.config_epoch.0);
        }
    }
}
