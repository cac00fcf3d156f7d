//! Planned hand-over of a leadership (Ongaro's dissertation, §3.10), without losing an
//! acknowledgement and without waiting for an election timeout.
//!
//! ```text
//!   leader                                    target                    voters
//!     │ takes no more writes                    │                          │
//!     │ all is visible, target holds it durably │                          │
//!     │ ── TakeOver ──────────────────────────▶ │                          │
//!     │    answers no more reads by lease       │ ── VoteRequest(TakeOver) │
//!     │ ◀──────────────────────── the vote, even of those who hear the leader
//! ```
//!
//! Voters give their votes although the leader is alive, which is what leases rest on. So a leader
//! that has once asked for it reads by asking a majority from then on: the message may arrive late.

use std::time::Duration;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Effects, Error, ErrorKind, Mono, NodeId, Now};

use crate::Message;
use crate::leading::Leading;
use crate::message::{Stage, TakeOver};
use crate::replica::{Part, SingleLeader};
use crate::state::State;

/// A hand-over under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handover {
    to: NodeId,
    /// Until then the leader takes no writes. After that it goes on leading.
    until: Mono,
    is_asked: bool,
}

/// What a leadership knows of its hand-overs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transfer {
    under_way: Option<Handover>,
    /// Somebody was asked to take over, and may still do so.
    has_asked: bool,
}

impl Transfer {
    pub(crate) const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Who is to lead.
    pub(crate) fn target(&self) -> Option<NodeId> {
        self.under_way.map(|handover| handover.to)
    }

    /// Whether somebody was asked to take over in this leadership.
    pub(crate) const fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// Whether another leader may be elected although this one is heard.
    pub(crate) fn ends_leases(&self) -> bool {
        self.has_asked && !planted(Bug::LeaseOutlivesTransfer)
    }
}

impl SingleLeader {
    pub(crate) fn on_transfer(&mut self, now: Mono, to: NodeId) -> Result<(), Error> {
        let state = &self.state;
        let invalid = |detail: &'static str| {
            Error::new(ErrorKind::ConfigInvalid, "transfer")
                .with("group", state.group)
                .with("to", to)
                .with("detail", detail)
        };
        if self.election.is_none() {
            return Err(invalid("the leader of this keyspace is fixed"));
        }
        let Part::Leading(leading) = &mut self.part else {
            return Err(state.not_leader("transfer"));
        };
        if to == state.me {
            return Ok(());
        }
        if !leading.followers.iter().any(|f| f.node == to && f.is_voter) {
            return Err(invalid("that node has no replica that may lead"));
        }
        if leading.transfer.is_under_way() || !leading.has_taken_over(state) {
            return Err(Error::new(ErrorKind::Unavailable, "transfer")
                .with("group", state.group)
                .with("detail", "the leader is about to change already"));
        }
        leading.quiescence.stir();
        leading.transfer.under_way = Some(Handover {
            to,
            until: now.after(patience(state)),
            is_asked: false,
        });
        Ok(())
    }

    /// The leader wants this replica to lead.
    pub(crate) fn on_take_over(
        &mut self,
        now: Now,
        from: NodeId,
        wish: TakeOver,
        fx: &mut Effects<Message>,
    ) {
        let hard = &self.state.hard;
        let is_wanted = hard.epoch == wish.epoch && hard.leader == Some(from);
        let is_able =
            self.state.is_voter() && !self.is_amnesiac() && self.state.log.last().lsn >= wish.upto;
        if self.election.is_some() && is_wanted && is_able {
            self.await_leader(now.mono, fx);
            let epoch = self.state.hard.epoch.next();
            self.campaign(now, epoch, Stage::TakeOver, fx);
        } else {
            fx.count("take-over-declined", wish.epoch.0);
        }
    }
}

impl Leading {
    /// Asks the target to take over, once it holds all there is.
    pub(crate) fn advance_transfer(&mut self, state: &State, fx: &mut Effects<Message>) {
        let Some(handover) = &mut self.transfer.under_way else {
            return;
        };
        let upto = state.log.last().lsn;
        let mut followers = self.followers.iter();
        let target = followers.find(|follower| follower.node == handover.to);
        let holds_all = target.is_some_and(|target| target.is_up && target.durable >= upto);
        if handover.is_asked || !self.pending.is_empty() || !holds_all {
            return;
        }
        handover.is_asked = true;
        self.transfer.has_asked = true;
        let epoch = state.hard.epoch;
        fx.send(handover.to, Message::TakeOver(TakeOver { epoch, upto }));
        fx.count("take-over-asked", handover.to.0);
    }

    /// Goes on leading when nobody has taken over in time.
    pub(crate) fn expire_transfer(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let late = |handover: &mut Handover| now >= handover.until;
        if let Some(handover) = self.transfer.under_way.take_if(late) {
            fx.count("transfer-expired", handover.to.0);
        }
    }
}

/// How long writes wait for a hand-over: as long as clients without one would wait for an election.
fn patience(state: &State) -> Duration {
    state.config.election_timeout() * 2
}
