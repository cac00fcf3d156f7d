//! What a replica keeps in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use repertoire_core::{
    Durability, Effects, Entry, EntryId, EpochHistory, LeaderEpoch, LogOp, LogSeq, Lsn, NodeId,
    ProposalId, StreamId, Wall,
};

use crate::Message;

/// The only stream of the log.
pub(crate) const STREAM: StreamId = StreamId(0);

/// What must survive a power cut whatever the keyspace's durability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    /// The epoch of the boot that wrote it.
    pub(crate) epoch: LeaderEpoch,
}

impl HardState {
    pub(crate) fn encode(self) -> Bytes {
        // Serialising a flat struct into a growing vector has no failure path.
        postcard::to_stdvec(&self).unwrap_or_default().into()
    }
}

/// An entry that is in the log and not yet visible.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) entry: Entry,
    /// The proposal that it came from; none for the barrier.
    pub(crate) proposal: Option<ProposalId>,
    /// When this operation is durable, so is the entry.
    pub(crate) seq: LogSeq,
}

/// What a replica keeps in memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) me: NodeId,
    pub(crate) durability: Durability,
    /// The epoch of this boot.
    pub(crate) epoch: LeaderEpoch,
    /// The hard state that announces the epoch. Nothing is appended before it is durable.
    pub(crate) epoch_seq: LogSeq,
    /// Every log operation up to this one is durable.
    pub(crate) durable_seq: LogSeq,
    pub(crate) last: EntryId,
    pub(crate) wall: Wall,
    pub(crate) durable: Lsn,
    /// Visible, and handed to the engine.
    pub(crate) applied: Lsn,
    pub(crate) snapshot: Lsn,
    /// The epochs of everything applied: the frontier.
    pub(crate) history: EpochHistory,
    /// Appended, not yet visible, oldest first.
    pub(crate) pending: VecDeque<Pending>,
}

impl State {
    /// Whether this boot's epoch is on stable storage, so that entries may carry it.
    pub(crate) fn is_established(&self) -> bool {
        self.durable_seq >= self.epoch_seq
    }

    /// Adds an entry at the end of the log.
    pub(crate) fn append(
        &mut self,
        entry: Entry,
        proposal: Option<ProposalId>,
        fx: &mut Effects<Message>,
    ) {
        assert_eq!(entry.first, self.last.lsn.next(), "the log has no holes");
        assert!(entry.wall >= self.wall, "time in the log never goes back");
        self.last = entry.last();
        self.wall = entry.wall;
        let op = LogOp::Append {
            stream: STREAM,
            entry: entry.clone(),
        };
        let seq = fx.log(op);
        self.pending.push_back(Pending {
            entry,
            proposal,
            seq,
        });
    }

    /// Hands an entry to the engine, with the frontier when it begins an epoch.
    pub(crate) fn apply(&mut self, entry: Entry, fx: &mut Effects<Message>) {
        assert_eq!(entry.first, self.applied.next(), "entries apply in order");
        self.applied = entry.last_lsn();
        if self.history.starts().last().map(|start| start.0) != Some(entry.epoch) {
            self.history.note(entry.epoch, entry.first);
            fx.frontier = postcard::to_stdvec(&self.history).ok().map(Bytes::from);
        }
        fx.apply.push(entry);
    }

    /// Asserts what must hold between any two inputs.
    pub(crate) fn check(&self) {
        assert!(
            self.snapshot <= self.applied,
            "a snapshot covers applied state"
        );
        assert!(
            self.applied <= self.last.lsn,
            "what is applied is in the log"
        );
        assert!(
            self.durable <= self.last.lsn,
            "what is durable is in the log"
        );
        assert!(
            self.last.epoch <= self.epoch,
            "no entry is newer than its leader"
        );
    }
}
