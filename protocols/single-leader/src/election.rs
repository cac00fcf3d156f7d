//! Elections: who asks for votes and when, who gives one, and when there are enough (Raft §5.2–5.4).
//!
//! ```text
//!             silence for an election timeout            quorum would           quorum does
//!   follower ─────────────────────────────────▶ pre-vote ────────────▶ vote ────────────────▶ leader
//!      ▲                                            │                    │                       │
//!      └──────── a leader speaks, a newer epoch ────┴────────────────────┘                       │
//!      └──────── a newer epoch, or no quorum has answered for an election timeout ───────────────┘
//! ```
//!
//! A quorum is a majority, and large enough to meet every set of replicas whose copies satisfied the
//! keyspace's ack mode: at least one voter then holds what was acknowledged, and gives its vote only
//! to a log that holds as much.
//!
//! Nobody gives a vote who has heard of a leader within an election timeout, or who was started
//! within one: leases rest on this; see [`lease`](crate::lease). Unless the leader itself wants
//! another one: see [`transfer`](crate::transfer).

use std::collections::BTreeSet;
use std::time::Duration;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Effects, Incarnation, LeaderEpoch, Mono, NodeId, Now};

use crate::Message;
use crate::amnesia::Recovery;
use crate::electorate::{electors, has_majority, is_elected, voters};
use crate::leading::Leading;
use crate::message::{Stage, Vote, VoteRequest};
use crate::plugin::Timer;
use crate::promote::Attempt;
use crate::replica::{Part, SingleLeader};
use crate::state::{HardState, State};

/// What a replica of a group that elects its leaders keeps.
#[derive(Debug)]
pub(crate) struct Election {
    /// The last time that a leader was heard of, or that the process was started.
    heard: Mono,
    /// Whether `heard` holds others back; not on a disk that has never seen a leader.
    is_loyal: bool,
    /// When the silence began that ends in an election.
    quiet_since: Mono,
    /// The silence that this replica bears, drawn anew each time.
    patience: Duration,
    /// The leader has said that it will speak seldom, and the link to it works.
    is_resting: bool,
    /// Draws are a function of the boot's seed.
    draw: u64,
    campaign: Option<Campaign>,
    /// What became of the last promotion that was asked of this replica.
    pub(crate) attempt: Option<Attempt>,
    /// Whether the replica voted when the last batch ended.
    pub(crate) was_voter: bool,
    /// While this voter may have forgotten what it promised.
    pub(crate) recovery: Option<Recovery>,
    /// A vote that is due once it is durable.
    owed: Option<(NodeId, LeaderEpoch, Stage)>,
}

/// An attempt to become leader.
#[derive(Debug)]
struct Campaign {
    epoch: LeaderEpoch,
    stage: Stage,
    /// Who gave, or would give, its vote; this replica included.
    granted: BTreeSet<NodeId>,
    /// Those of them who do not know whether their log lacks something.
    blank: BTreeSet<NodeId>,
    /// The others were asked: at once for what they would do, and for their votes once the own one
    /// is durable, so that whoever uses a vote knows its epoch for good.
    is_asked: bool,
}

impl Election {
    pub(crate) fn new(now: Mono, seed: u64, state: &State) -> Self {
        let is_fresh = state.hard.epoch.0 == 0;
        let mut election = Self {
            heard: now,
            is_loyal: !is_fresh,
            quiet_since: now,
            patience: Duration::ZERO,
            is_resting: false,
            draw: seed,
            campaign: None,
            attempt: None,
            was_voter: state.is_voter(),
            recovery: None,
            owed: None,
        };
        election.redraw(state);
        if voters(state).eq([state.me]) {
            election.patience = Duration::ZERO;
        } else if is_fresh && state.is_first() {
            // Somebody has to be the first, and waits for nothing but the others' links.
            election.patience = state.config.heartbeat();
        }
        election
    }

    /// A leader has spoken.
    pub(crate) fn heard(&mut self, now: Mono) {
        (self.heard, self.quiet_since) = (now, now);
        self.is_loyal = true;
        self.campaign = None;
    }

    pub(crate) const fn is_resting(&self) -> bool {
        self.is_resting
    }

    /// The leader that was just heard will speak seldom.
    pub(crate) fn rest(&mut self, patience: Duration, state: &State) {
        self.redraw(state);
        self.patience += patience;
        self.is_resting = true;
    }

    /// The leader should speak as usual, or is missed. Returns when that ends in an election.
    pub(crate) fn wake(&mut self, quiet_since: Mono, state: &State) -> Mono {
        self.is_resting = false;
        self.quiet_since = quiet_since;
        self.redraw(state);
        self.deadline()
    }

    /// Wants to lead no more.
    pub(crate) fn give_up(&mut self) {
        self.campaign = None;
    }

    /// Gives no vote for an election timeout.
    pub(crate) const fn bind(&mut self, now: Mono) {
        self.heard = now;
        self.is_loyal = true;
    }

    /// Draws how long the next silence may be: one to two election timeouts.
    fn redraw(&mut self, state: &State) {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.draw = self.draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.draw;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        let timeout = state.config.election_timeout();
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.patience = timeout + Duration::from_nanos(z % nanos);
    }

    fn deadline(&self) -> Mono {
        self.quiet_since.after(self.patience)
    }

    /// Whether this replica has promised to let the leader be that it knows of.
    pub(crate) fn is_bound(&self, now: Mono, state: &State) -> bool {
        let is_recent = now.since(self.heard) < state.config.election_timeout();
        self.is_loyal && (is_recent || self.is_resting)
    }

    /// Gives a vote that is durable now.
    pub(crate) fn answer(&mut self, state: &State, fx: &mut Effects<Message>) {
        let is_early = !state.is_established() && !planted(Bug::VoteBeforeDurable);
        if let Some((to, epoch, stage)) = self.owed.take_if(|_| !is_early) {
            let vote = Vote {
                epoch,
                stage,
                is_granted: state.hard.epoch == epoch && state.hard.vote == Some(to),
                seen: state.hard.epoch,
            };
            fx.send(to, self.ballot(vote));
        }
    }

    /// Whether this voter may have forgotten what it promised.
    pub(crate) fn is_amnesiac(&self) -> bool {
        self.recovery.is_some() && !planted(Bug::AmnesiacVotes)
    }

    fn ballot(&self, vote: Vote) -> Message {
        if self.is_amnesiac() {
            Message::BlankVote(vote)
        } else {
            Message::Vote(vote)
        }
    }
}

impl SingleLeader {
    /// The leader that this replica obeys has spoken.
    pub(crate) fn heard_leader(&mut self, now: Mono, fx: &mut Effects<Message>) {
        if let Some(election) = &mut self.election {
            election.heard(now);
            self.state.is_leader_silent = false;
            self.wake_follower(now, now, fx);
        }
    }

    /// The link to a peer broke, or nothing comes from it: if it leads, others are not sent there
    /// before it speaks again. Whoever has waited for it at rest has waited an election timeout.
    pub(crate) fn on_peer_down(&mut self, now: Mono, peer: NodeId, fx: &mut Effects<Message>) {
        if self.election.is_some() && self.state.hard.leader == Some(peer) {
            self.state.is_leader_silent = true;
            let timeout = self.state.config.election_timeout();
            self.wake_follower(now, now.before(timeout), fx);
        }
    }

    /// Starts the clock that ends in an election, from now on.
    pub(crate) fn await_leader(&mut self, now: Mono, fx: &mut Effects<Message>) {
        if !self.state.is_voter() {
            return;
        }
        if let Some(election) = &mut self.election {
            election.wake(now, &self.state);
            election.campaign = None;
            fx.set_timer_in(Timer::Election, now, election.patience);
        }
    }

    /// At boot: the clock runs with the patience that was drawn then.
    pub(crate) fn begin_elections(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let is_voter = self.state.is_voter();
        let Some(election) = self.election.as_mut().filter(|_| is_voter) else {
            return;
        };
        if election.recovery.is_some() {
            self.ask_for_recovery(now, fx);
        } else {
            election.quiet_since = now;
            fx.set_timer_in(Timer::Election, now, election.patience);
        }
    }

    pub(crate) fn on_election_timer(&mut self, now: Now, fx: &mut Effects<Message>) {
        if self.is_amnesiac() {
            self.ask_for_recovery(now.mono, fx);
            return;
        }
        let may_run = matches!(self.part, Part::Following(_)) && self.state.is_voter();
        let Some(election) = self.election.as_mut().filter(|_| may_run) else {
            return;
        };
        let deadline = election.deadline();
        if now.mono < deadline {
            // Somebody was heard of since the timer was set.
            fx.set_timer_in(Timer::Election, now.mono, deadline.since(now.mono));
            return;
        }
        self.state.is_leader_silent = true;
        self.await_leader(now.mono, fx);
        if !self.state.may_campaign() {
            return;
        }
        let epoch = self.state.hard.epoch.next();
        self.campaign(now, epoch, Stage::PreVote, fx);
    }

    /// Asks the others. The own vote is the first one.
    pub(crate) fn campaign(
        &mut self,
        now: Now,
        epoch: LeaderEpoch,
        stage: Stage,
        fx: &mut Effects<Message>,
    ) {
        let me = self.state.me;
        if stage.is_binding() {
            let hard = HardState {
                vote: Some(me),
                amnesia: self.state.hard.amnesia,
                ..HardState::of(epoch, None)
            };
            self.state.establish(hard, fx);
            fx.count("election-begun", epoch.0);
        }
        if let Some(election) = &mut self.election {
            election.campaign = Some(Campaign {
                epoch,
                stage,
                granted: BTreeSet::from([me]),
                blank: BTreeSet::new(),
                is_asked: false,
            });
        }
        self.count_votes(now, fx);
    }

    /// Ends a batch: asks for the votes that it has come to.
    pub(crate) fn ask_voters(&mut self, fx: &mut Effects<Message>) {
        let is_established = self.state.is_established();
        let campaign = self.election.as_mut().and_then(|e| e.campaign.as_mut());
        let is_due = |campaign: &&mut Campaign| {
            !campaign.is_asked && (is_established || !campaign.stage.is_binding())
        };
        let Some(campaign) = campaign.filter(is_due) else {
            return;
        };
        campaign.is_asked = true;
        let me = self.state.me;
        for (to, voter) in electors(&self.state) {
            if to != me {
                self.request_vote(to, voter, fx);
            }
        }
    }

    fn request_vote(&self, to: NodeId, voter: Option<Incarnation>, fx: &mut Effects<Message>) {
        let campaign = self.election.as_ref().and_then(|e| e.campaign.as_ref());
        let is_due = |campaign: &&Campaign| campaign.is_asked && !campaign.granted.contains(&to);
        if let Some(campaign) = campaign.filter(is_due) {
            let request = VoteRequest {
                epoch: campaign.epoch,
                last: self.state.log.last(),
                stage: campaign.stage,
                voter,
            };
            fx.send(to, Message::VoteRequest(request));
        }
    }

    /// A link works again: what was asked over it before is lost.
    pub(crate) fn on_peer_up(&self, now: Mono, peer: NodeId, fx: &mut Effects<Message>) {
        let found = electors(&self.state)
            .into_iter()
            .find(|(node, _)| *node == peer);
        if let Some((_, voter)) = found {
            self.request_vote(peer, voter, fx);
            self.ask_for_recovery(now, fx);
        }
    }

    pub(crate) fn on_vote_request(
        &mut self,
        now: Mono,
        from: NodeId,
        request: VoteRequest,
        fx: &mut Effects<Message>,
    ) {
        // Who is asked may not know yet that it votes, nor the candidate: the candidate counts.
        let is_meant = match request.voter {
            Some(disk) => disk == self.state.incarnation,
            None => !self.state.is_newcomer(),
        };
        if self.election.is_none() || !is_meant {
            return;
        }
        let is_granted = self.may_follow() && self.would_vote(now, from, &request);
        self.wake_follower(now, now, fx);
        let hard = self.state.hard;
        if request.stage.is_binding() && is_granted {
            if hard.epoch != request.epoch || hard.vote != Some(from) {
                self.stand_down(now, fx);
                let hard = HardState {
                    vote: Some(from),
                    amnesia: hard.amnesia,
                    ..HardState::of(request.epoch, None)
                };
                self.state.establish(hard, fx);
            }
            if let Some(election) = &mut self.election {
                election.quiet_since = now;
                election.campaign = None;
                election.owed = Some((from, request.epoch, request.stage));
            }
            return;
        }
        let vote = Vote {
            epoch: request.epoch,
            stage: request.stage,
            is_granted,
            seen: hard.epoch,
        };
        if let Some(election) = &self.election {
            fx.send(from, election.ballot(vote));
        }
    }

    pub(crate) fn on_vote(
        &mut self,
        now: Now,
        from: NodeId,
        vote: Vote,
        is_blank: bool,
        fx: &mut Effects<Message>,
    ) {
        if self.is_amnesiac() {
            // An answer to its former self.
            return;
        }
        if vote.seen > self.state.hard.epoch && self.election.is_some() {
            // The group has moved on: to win, this replica has to ask for a later epoch.
            self.stand_down(now.mono, fx);
            self.state.adopt(vote.seen, None, fx);
            if let Some(election) = &mut self.election {
                election.campaign = None;
            }
            return;
        }
        let campaign = self.election.as_mut().and_then(|e| e.campaign.as_mut());
        let Some(campaign) = campaign.filter(|c| c.epoch == vote.epoch && c.stage == vote.stage)
        else {
            return;
        };
        if vote.is_granted {
            campaign.granted.insert(from);
            if is_blank {
                campaign.blank.insert(from);
            }
            self.count_votes(now, fx);
        } else {
            self.note_refusal(from, vote.epoch, fx);
        }
    }

    /// Goes a stage further when there are enough votes. The own one counts once it is durable.
    pub(crate) fn count_votes(&mut self, now: Now, fx: &mut Effects<Message>) {
        let campaign = self.election.as_ref().and_then(|e| e.campaign.as_ref());
        let Some(campaign) = campaign else {
            return;
        };
        let extra = usize::from(planted(Bug::ElectionQuorumMinusOne));
        // Whoever accepts a loss needs no copies of what was acknowledged, but a majority all the same.
        let is_quorum = if campaign.stage == Stage::Forced {
            has_majority(&self.state, &campaign.granted)
        } else {
            is_elected(&self.state, &campaign.granted, &campaign.blank, extra)
        };
        if !is_quorum || campaign.epoch < self.state.hard.epoch {
            return;
        }
        match campaign.stage {
            Stage::PreVote => {
                let epoch = campaign.epoch;
                self.campaign(now, epoch, Stage::Vote, fx);
            }
            Stage::Vote | Stage::TakeOver | Stage::Forced if self.state.is_established() => {
                self.lead(now, fx);
            }
            Stage::Vote | Stage::TakeOver | Stage::Forced => {}
        }
    }

    /// Elected: begins the leadership, for which everything is durable already.
    fn lead(&mut self, now: Now, fx: &mut Effects<Message>) {
        if let Some(election) = &mut self.election {
            let campaign = election.campaign.take();
            if campaign.is_some_and(|campaign| campaign.stage == Stage::TakeOver) {
                fx.count("leader-took-over", self.state.hard.epoch.0);
            }
        }
        let state = &mut self.state;
        state.hard.leader = Some(state.me);
        let mut leading = Leading::of(now.mono, state);
        leading.begin(now, state, fx);
        self.part = Part::Leading(leading);
        fx.clear_timer(Timer::Election);
        fx.clear_timer(Timer::Fetch);
        fx.set_timer_in(Timer::Heartbeat, now.mono, self.state.config.heartbeat());
        fx.count("leader-elected", self.state.hard.epoch.0);
        self.note_promoted(fx);
    }

    /// A leader that no quorum answers to any more stops leading: its clients must not wait for it,
    /// and what it would still acknowledge on its own might be lost.
    pub(crate) fn give_up_without_quorum(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let Part::Leading(leading) = &self.part else {
            return;
        };
        let is_resting = leading.quiescence.is_quiescent();
        if self.election.is_some() && !is_resting && !leading.holds_quorum(now, &self.state) {
            self.state.hard.leader = None;
            self.stand_down(now, fx);
            fx.count("leader-without-quorum", self.state.hard.epoch.0);
        }
    }
}
