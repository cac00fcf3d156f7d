//! Appointment of a leader by an operator or a controller, when the former one is gone.
//!
//! ```text
//!   controller            target                                   voters
//!     │ ── promote ─────────▶ │ ── VoteRequest(PreVote) ─────────────▶ │ is my log newer? do I hear a leader?
//!     │                       │ ◀──────────────────────────────── votes │
//!     │                       │ ── VoteRequest(Vote) ────────────────▶ │ durable: the former epoch is over
//!     │ ◀── leads, or why not │ ◀──────────────────────────────── votes │
//! ```
//!
//! It is an election that somebody else begins. So two controllers never appoint two leaders in one
//! epoch, a majority has left the former leader before the new one begins, and a replica that lacks
//! what was acknowledged does not win while a better one is within reach. A controller names the epoch
//! that it wants to replace: what it decided on older knowledge is refused.
//!
//! Who accepts that acknowledged writes are lost needs nothing but a majority. That one is always
//! needed: fewer replicas cannot say that nobody else leads.

use std::collections::BTreeSet;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Appointment, Effects, Error, ErrorKind, LeaderEpoch, NodeId, Now, Promotion,
};

use crate::Message;
use crate::electorate::voters;
use crate::message::Stage;
use crate::replica::{Part, SingleLeader};

/// What became of a promotion.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The epoch that the target asked to lead.
    pub(crate) epoch: LeaderEpoch,
    /// Who refused its vote.
    pub(crate) refused: BTreeSet<NodeId>,
}

impl SingleLeader {
    pub(crate) fn on_promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Message>,
    ) -> Result<Appointment, Error> {
        if matches!(self.part, Part::Leading(_)) {
            return Ok(Appointment::Leads);
        }
        self.may_be_promoted(now, promotion)?;
        let former = self.state.hard.leader.filter(|node| *node != self.state.me);
        if promotion.is_rehearsal {
            return Ok(Appointment::Begun { former });
        }
        self.state.is_leader_silent = true;
        self.await_leader(now.mono, fx);
        let epoch = self.state.hard.epoch.next();
        let stage = if promotion.accept_data_loss || planted(Bug::PromotionIgnoresLogs) {
            Stage::Forced
        } else {
            Stage::PreVote
        };
        if let Some(election) = &mut self.election {
            let refused = BTreeSet::new();
            election.attempt = Some(Attempt { epoch, refused });
        }
        fx.count("promotion-begun", epoch.0);
        self.campaign(now, epoch, stage, fx);
        Ok(Appointment::Begun { former })
    }

    // ANCHOR: promote
    fn may_be_promoted(&self, now: Now, promotion: Promotion) -> Result<(), Error> {
        let state = &self.state;
        let error = |kind, detail: &'static str| {
            let error = Error::new(kind, "promote").with("group", state.group);
            error.with("to", state.me).with("detail", detail)
        };
        let Some(election) = &self.election else {
            let detail = "the leader of this keyspace is fixed";
            return Err(error(ErrorKind::ConfigInvalid, detail)
                .with("remedy", "set failover = \"appoint\" or \"elect\""));
        };
        if !voters(state).any(|node| node == state.me) {
            let detail = "that node has no replica that may lead";
            return Err(error(ErrorKind::ConfigInvalid, detail));
        }
        let (seen, own) = (state.hard.epoch, promotion.replaces);
        if own != seen {
            let kind = ErrorKind::Fenced { own, seen };
            return Err(error(
                kind,
                "the group has another epoch than the caller knows of",
            ));
        }
        if self.is_amnesiac() {
            let detail = "the replica may have forgotten writes, and asks the others for them";
            return Err(error(ErrorKind::Unavailable, detail));
        }
        if election.is_bound(now.mono, state) && !state.is_leader_silent {
            let detail = "the leader is alive; transfer the leadership instead";
            let error = error(ErrorKind::Conflict, detail);
            return Err(match state.leader_hint() {
                Some(leader) => error.with("leader", leader),
                None => error,
            });
        }
        Ok(())
    }

    // ANCHOR_END: promote

    /// A voter does not want this replica to lead.
    pub(crate) fn note_refusal(
        &mut self,
        voter: NodeId,
        epoch: LeaderEpoch,
        fx: &mut Effects<Message>,
    ) {
        let attempt = self.election.as_mut().and_then(|e| e.attempt.as_mut());
        if let Some(attempt) = attempt.filter(|attempt| attempt.epoch == epoch) {
            attempt.refused.insert(voter);
            fx.count("promotion-refused", epoch.0);
        }
    }

    /// This replica leads: perhaps because it was promoted.
    pub(crate) fn note_promoted(&mut self, fx: &mut Effects<Message>) {
        let epoch = self.state.hard.epoch;
        let attempt = self.election.as_ref().and_then(|e| e.attempt.as_ref());
        if attempt.is_some_and(|attempt| attempt.epoch == epoch) {
            fx.count("leader-promoted", epoch.0);
        }
    }
}
