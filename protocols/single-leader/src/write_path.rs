//! Writes at the leader: from a proposal to its acknowledgement.

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Acks, Effects, Entry, EntryId, EntryKind, Error, ErrorKind, Fate, LeaderEpoch, Proposal,
    ProposalId,
};

use crate::Message;
use crate::electorate::former_copies;
use crate::leading::{Leading, Pending};
use crate::replica::{Part, SingleLeader};
use crate::state::State;

impl Leading {
    fn on_proposal(&mut self, proposal: Proposal, state: &mut State, fx: &mut Effects<Message>) {
        if let Some(error) = self.refusal(&proposal, state) {
            let proposal = proposal.id;
            let error = Box::new(error);
            fx.fates.push(Fate::Refused { proposal, error });
        } else if self.is_active() {
            self.place(proposal, state, fx);
        } else {
            self.waiting.push_back(proposal);
        }
    }

    fn refusal(&self, proposal: &Proposal, state: &State) -> Option<Error> {
        if !proposal.acks.is_satisfiable(self.voters) {
            // It would never be acknowledged, and nothing after it.
            let error = state.error(ErrorKind::Unsupported, "write");
            return Some(
                error
                    .with("acks", proposal.acks)
                    .with("replicas", self.voters),
            );
        }
        (self.takes_over && !self.has_taken_over(state)).then(|| {
            let error = state.error(ErrorKind::Unavailable, "write");
            error.with(
                "reason",
                "the leader is taking over its predecessor's entries",
            )
        })
    }

    /// Gives a proposal its place in the log.
    pub(crate) fn place(
        &mut self,
        proposal: Proposal,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        let entry = Entry {
            epoch: state.hard.epoch,
            first: state.log.last().lsn.next(),
            count: proposal.count,
            wall: proposal.wall.max(state.log.wall()),
            kind: EntryKind::Records,
            format: proposal.format,
            acks: proposal.acks,
            body: proposal.body,
        };
        fx.fates.push(Fate::Placed {
            proposal: proposal.id,
            first: EntryId::new(entry.epoch, entry.first),
        });
        self.append(entry, Some(proposal.id), state, fx);
    }

    /// Makes visible, and acknowledges, what has enough copies.
    pub(crate) fn advance(&mut self, state: &mut State, fx: &mut Effects<Message>) {
        if self.pending.is_empty() {
            return;
        }
        let is_far_behind = state.log.behind() > 44 && planted(Bug::BacklogCountsAsDurable);
        let own = if planted(Bug::LeaderAcksBeforeDurable) || is_far_behind {
            state.log.last().lsn
        } else {
            state.log.durable()
        };
        let voters = self.followers.iter().filter(|follower| follower.is_voter);
        self.tally
            .refresh(own, voters.map(|follower| follower.durable));
        if self.former_voters.is_some() {
            let former = self.followers.iter().filter(|follower| follower.was_voter);
            self.former_tally
                .refresh(own, former.map(|follower| follower.durable));
        }
        if planted(Bug::VisibleBeforeAcked) && self.is_active() {
            state.apply_upto(state.log.last().lsn, fx);
        }
        let reached = self.reached(state.hard.epoch, state.descriptor.options.acks);
        let Some(last) = reached
            .checked_sub(1)
            .and_then(|index| self.pending.get(index))
        else {
            return;
        };
        state.apply_upto(last.last, fx);
        // A batch makes only so many changes of the members visible; the next one goes on.
        let visible = state.applied;
        let reached = self.pending.iter().take(reached);
        let reached = reached
            .take_while(|pending| pending.last <= visible)
            .count();
        let tally = &self.tally;
        let mut acked: Option<(ProposalId, u8)> = None;
        for done in self.pending.drain(..reached) {
            let Some(through) = done.proposal else {
                continue;
            };
            // Older entries may have more copies than newer ones: each hears its own number.
            let copies = tally.copies(done.last);
            let (previous, fewer) = (acked.replace((through, copies)), copies);
            if let Some((through, copies)) = previous.filter(|(_, copies)| *copies != fewer) {
                fx.fates.push(Fate::Acked { through, copies });
            }
        }
        if let Some((through, copies)) = acked {
            fx.fates.push(Fate::Acked { through, copies });
        }
    }

    // ANCHOR: reached
    /// How many pending entries may become visible: the longest prefix of which each entry has the
    /// copies that it asks for, and whose last one was made in this epoch (Raft §5.4.2, figure 8:
    /// copies of an older entry alone do not protect it).
    fn reached(&self, epoch: LeaderEpoch, keyspace: Acks) -> usize {
        let mut reached = 0;
        for (index, pending) in self.pending.iter().enumerate() {
            if !self.has_copies(pending, keyspace) {
                if planted(Bug::AckOvertakesPrefix) {
                    continue;
                }
                break;
            }
            if pending.epoch == epoch {
                reached = index + 1;
            }
        }
        reached
    }
    // ANCHOR_END: reached

    /// Whether an entry has the copies that it asks for; while a change of the members may be taken
    /// back, also enough among the former voters.
    fn has_copies(&self, pending: &Pending, keyspace: Acks) -> bool {
        let is_held = |former| {
            let copies = former_copies(former, pending.acks, keyspace);
            pending.last <= self.former_tally.held_by(copies)
        };
        self.tally.is_satisfied(pending.last, pending.acks)
            && self.former_voters.is_none_or(is_held)
    }
}

impl SingleLeader {
    /// Takes sealed records: the leader orders them, a follower names the leader.
    pub(crate) fn on_propose(&mut self, proposals: &mut Vec<Proposal>, fx: &mut Effects<Message>) {
        for proposal in proposals.drain(..) {
            match &mut self.part {
                Part::Leading(leading) => leading.on_proposal(proposal, &mut self.state, fx),
                Part::Following(_) => fx.fates.push(Fate::Refused {
                    proposal: proposal.id,
                    error: Box::new(self.state.not_leader("write")),
                }),
            }
        }
    }
}
