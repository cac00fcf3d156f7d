//! Writes at the leader: from a proposal to its acknowledgement.

use std::collections::VecDeque;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Acks, Effects, Entry, EntryId, EntryKind, Error, ErrorKind, Fate, FormatTag, LeaderEpoch, Lsn,
    Now, Proposal, ProposalId,
};

use crate::Message;
use crate::progress::Progress;
use crate::quorum::Tally;
use crate::replica::{Part, SingleLeader};
use crate::state::State;

/// An entry that is in the log and not yet visible.
#[derive(Clone, Copy, Debug)]
struct Pending {
    epoch: LeaderEpoch,
    last: Lsn,
    acks: Acks,
    /// The proposal that it came from; none for a barrier and for what a predecessor placed.
    proposal: Option<ProposalId>,
}

/// What only a leader keeps.
#[derive(Debug)]
pub(crate) struct Leading {
    /// The first entry of this epoch, once the epoch is durable and the entry is in the log.
    barrier: Option<Lsn>,
    /// Entries of predecessors wait for the barrier. Until the engine has them, proposals are
    /// refused: they were evaluated against a state without those entries.
    takes_over: bool,
    /// Proposals that arrived before the epoch was durable.
    waiting: VecDeque<Proposal>,
    /// In the log, not yet visible, oldest first.
    pending: VecDeque<Pending>,
    tally: Tally,
    voters: usize,
    pub(crate) followers: Vec<Progress>,
    /// Messages sent to followers in this epoch.
    pub(crate) round: u64,
    /// Whether the timer runs that tells followers what became visible.
    pub(crate) is_notice_due: bool,
}

impl Leading {
    /// A leadership that has not begun. `inherited` are the entries after the visible ones.
    pub(crate) fn new<'a>(
        followers: Vec<Progress>,
        inherited: impl Iterator<Item = &'a Entry>,
    ) -> Self {
        let pending: VecDeque<_> = inherited
            .map(|entry| Pending {
                epoch: entry.epoch,
                last: entry.last_lsn(),
                acks: entry.acks,
                proposal: None,
            })
            .collect();
        Self {
            barrier: None,
            takes_over: !pending.is_empty(),
            waiting: VecDeque::new(),
            pending,
            tally: Tally::default(),
            voters: followers.iter().filter(|f| f.is_voter).count() + 1,
            followers,
            round: 0,
            is_notice_due: false,
        }
    }

    /// Whether this leadership has begun: its epoch is durable, and its barrier in the log.
    pub(crate) const fn is_active(&self) -> bool {
        self.barrier.is_some()
    }

    /// Whether everything that predecessors acknowledged is visible here.
    pub(crate) fn is_ready(&self, state: &State) -> bool {
        self.barrier.is_some_and(|barrier| state.applied >= barrier)
    }

    /// Whether the engine holds everything that predecessors ordered: only then is the dedup table
    /// complete, and only then do evaluations see all of the past.
    pub(crate) fn has_taken_over(&self, state: &State) -> bool {
        self.barrier
            .is_some_and(|barrier| state.engine_applied >= barrier)
    }

    /// Entries that are not visible yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The epoch is durable: begins it with a barrier, and places what has waited for it.
    ///
    /// Inherited entries become visible only together with the barrier (Raft §5.4.2), so the
    /// barrier wants as many copies as the most careful of them.
    pub(crate) fn begin(&mut self, now: Now, state: &mut State, fx: &mut Effects<Message>) {
        let voters = self.voters;
        let inherited = self.pending.iter().map(|pending| pending.acks);
        let acks = inherited
            .max_by_key(|acks| acks.copies(voters))
            .unwrap_or(Acks::Async);
        let barrier = Entry {
            epoch: state.hard.epoch,
            first: state.log.last().lsn.next(),
            count: 1,
            wall: now.wall.max(state.log.wall()),
            kind: EntryKind::Barrier,
            format: FormatTag::default(),
            acks,
            body: bytes::Bytes::new(),
        };
        self.barrier = Some(barrier.first);
        self.append(barrier, None, state, fx);
        for follower in &mut self.followers {
            follower.probe(follower.next);
        }
        for proposal in std::mem::take(&mut self.waiting) {
            self.place(proposal, state, fx);
        }
        fx.count("leader-began", state.hard.epoch.0);
    }

    fn append(
        &mut self,
        entry: Entry,
        proposal: Option<ProposalId>,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        self.pending.push_back(Pending {
            epoch: entry.epoch,
            last: entry.last_lsn(),
            acks: entry.acks,
            proposal,
        });
        state.log.append(entry, fx);
    }

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
    fn place(&mut self, proposal: Proposal, state: &mut State, fx: &mut Effects<Message>) {
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
        let own = if planted(Bug::LeaderAcksBeforeDurable) {
            state.log.last().lsn
        } else {
            state.log.durable()
        };
        let voters = self.followers.iter().filter(|follower| follower.is_voter);
        self.tally
            .refresh(own, voters.map(|follower| follower.durable));
        if planted(Bug::VisibleBeforeAcked) && self.is_active() {
            state.apply_upto(state.log.last().lsn, fx);
        }
        let reached = self.reached(state.hard.epoch);
        let Some(last) = reached
            .checked_sub(1)
            .and_then(|index| self.pending.get(index))
        else {
            return;
        };
        state.apply_upto(last.last, fx);
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

    /// How many pending entries may become visible: the longest prefix of which each entry has the
    /// copies that it asks for, and whose last one was made in this epoch (Raft §5.4.2, figure 8:
    /// copies of an older entry alone do not protect it).
    fn reached(&self, epoch: LeaderEpoch) -> usize {
        let mut reached = 0;
        for (index, pending) in self.pending.iter().enumerate() {
            if !self.tally.is_satisfied(pending.last, pending.acks) {
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

    /// The leadership ends: what was placed may survive or not, what was not never will.
    pub(crate) fn end(&mut self, state: &State, fx: &mut Effects<Message>) {
        let error = Box::new(state.not_leader("write"));
        if let Some(from) = self.pending.iter().find_map(|pending| pending.proposal) {
            let error = error.clone();
            fx.fates.push(Fate::Unknown { from, error });
        }
        for proposal in std::mem::take(&mut self.waiting) {
            fx.fates.push(Fate::Refused {
                proposal: proposal.id,
                error: error.clone(),
            });
        }
    }

    /// Asserts what must hold between any two inputs.
    pub(crate) fn check(&self, state: &State) {
        for follower in &self.followers {
            follower.check(state.log.last().lsn);
        }
        assert!(
            self.pending
                .back()
                .is_none_or(|pending| pending.last == state.log.last().lsn),
            "what is not visible reaches to the end of the log"
        );
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
