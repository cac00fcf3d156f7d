//! A leadership: what it keeps, how it begins and ends.

use std::collections::VecDeque;

use repertoire_core::{
    Acks, Effects, Entry, EntryKind, Fate, FormatTag, LeaderEpoch, Lsn, Mono, Now, Proposal,
    ProposalId,
};

use crate::Message;
use crate::lease::SendTimes;
use crate::progress::Progress;
use crate::quiescence::Quiescence;
use crate::quorum::Tally;
use crate::state::State;
use crate::transfer::Transfer;

/// An entry that is in the log and not yet visible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) last: Lsn,
    pub(crate) acks: Acks,
    /// The proposal that it came from; none for a barrier and for what a predecessor placed.
    pub(crate) proposal: Option<ProposalId>,
}

/// What only a leader keeps.
#[derive(Debug)]
pub(crate) struct Leading {
    /// The first entry of this epoch, once the epoch is durable and the entry is in the log.
    barrier: Option<Lsn>,
    /// Entries of predecessors wait for the barrier. Until the engine has them, proposals are
    /// refused: they were evaluated against a state without those entries.
    pub(crate) takes_over: bool,
    /// Proposals that arrived before the epoch was durable.
    pub(crate) waiting: VecDeque<Proposal>,
    /// In the log, not yet visible, oldest first.
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) tally: Tally,
    pub(crate) voters: usize,
    /// Voters before a change of the members that may be taken back, and their copies.
    pub(crate) former_voters: Option<usize>,
    pub(crate) former_tally: Tally,
    pub(crate) followers: Vec<Progress>,
    /// Messages sent to followers in this epoch.
    pub(crate) round: u64,
    /// Whether the timer runs that tells followers what became visible.
    pub(crate) is_notice_due: bool,
    /// When this replica was elected, or woke: a majority has to answer within an election timeout.
    pub(crate) quorum_awaited_since: Mono,
    pub(crate) sent_at: SendTimes,
    /// Reads wait for a majority to confirm the leadership anew: it is to be asked.
    pub(crate) is_confirmation_due: bool,
    /// Answers have arrived that may confirm it.
    pub(crate) is_confirmed_anew: bool,
    pub(crate) transfer: Transfer,
    pub(crate) quiescence: Quiescence,
}

impl Leading {
    /// A leadership that has not begun. It inherits the entries after the visible ones.
    pub(crate) fn of(now: Mono, state: &State) -> Self {
        let inherited = state.log.window().from(state.applied.next());
        let inherited = inherited.into_iter().flatten();
        let pending: VecDeque<_> = inherited
            .map(|entry| Pending {
                epoch: entry.epoch,
                last: entry.last_lsn(),
                acks: entry.acks,
                proposal: None,
            })
            .collect();
        let mut leading = Self {
            barrier: None,
            takes_over: !pending.is_empty(),
            waiting: VecDeque::new(),
            pending,
            tally: Tally::default(),
            voters: 0,
            former_voters: None,
            former_tally: Tally::default(),
            followers: Vec::new(),
            round: 0,
            is_notice_due: false,
            quorum_awaited_since: now,
            sent_at: SendTimes::default(),
            is_confirmation_due: false,
            is_confirmed_anew: false,
            transfer: Transfer::default(),
            quiescence: Quiescence::default(),
        };
        // A group that has shrunk since cannot give more copies than it has replicas.
        leading.regroup(now, state);
        leading
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
    /// barrier wants as many copies as the most careful of them, and at least what the keyspace does.
    pub(crate) fn begin(&mut self, now: Now, state: &mut State, fx: &mut Effects<Message>) {
        let voters = self.voters;
        let inherited = self.pending.iter().map(|pending| pending.acks);
        let acks = inherited
            .chain(state.barrier_acks())
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
        if !self.pending.is_empty() {
            fx.count("entries-inherited", self.pending.len() as u64);
        }
        self.barrier = Some(barrier.first);
        self.append(barrier, None, state, fx);
        self.welcome(now.mono, state, fx);
        for follower in &mut self.followers {
            follower.probe(follower.next);
        }
        for proposal in std::mem::take(&mut self.waiting) {
            self.place(proposal, state, fx);
        }
        fx.count("leader-began", state.hard.epoch.0);
    }

    pub(crate) fn append(
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
