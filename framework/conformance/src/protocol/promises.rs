//! What must hold after every step, whatever the protocol.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{
    Acks, Descriptor, Durability, EntryId, ErrorKind, Machine, NodeId, Position, ReadLevel,
    ReadVerdict, ShardId,
};

use super::rig::Rig;

/// An account of what was promised, kept beside the replicas.
#[derive(Debug)]
pub(super) struct Promises {
    /// Replicas that count for acknowledgements.
    voters: usize,
    /// Whether an acknowledgement means that the records are on as many disks.
    is_durable: bool,
    /// Whether what was acknowledged or applied anywhere stays for ever.
    is_lasting: bool,
    /// What was applied at a position.
    truth: BTreeMap<u64, (EntryId, Bytes)>,
    /// How much of a replica's history was compared.
    compared: BTreeMap<NodeId, usize>,
    acked: usize,
    reads: usize,
    /// What each read must see.
    asked: Vec<u64>,
}

impl Promises {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let voters = descriptor.voters(ShardId(0)).count();
        let acks = descriptor.options.acks;
        let is_durable = descriptor.options.durability == Durability::Disk;
        Self {
            voters,
            is_durable,
            is_lasting: is_durable && (acks != Acks::Async || voters == 1),
            truth: BTreeMap::new(),
            compared: BTreeMap::new(),
            acked: 0,
            reads: 0,
            asked: Vec::new(),
        }
    }

    /// Names a read, and notes what it must see.
    pub(super) fn ask<M: Machine>(&mut self, rig: &Rig<M>, level: &ReadLevel) -> u64 {
        let newest = rig.acked.iter().map(|acked| acked.position.lsn.0).max();
        let need = match level {
            ReadLevel::Session(Position::Entry(position)) => position.lsn.0,
            ReadLevel::Leader => newest.unwrap_or(0),
            ReadLevel::Session(_) | ReadLevel::Local | ReadLevel::Bounded(_) => 0,
        };
        self.asked.push(need);
        self.asked.len() as u64 - 1
    }

    pub(super) fn judge<M: Machine>(&mut self, rig: &Rig<M>) {
        self.judge_acks(rig);
        self.judge_reads(rig);
        if self.is_lasting {
            self.judge_histories(rig);
        }
    }

    /// An acknowledgement has as many durable copies as it claims and as its mode wants.
    fn judge_acks<M: Machine>(&mut self, rig: &Rig<M>) {
        for acked in rig.acked.iter().skip(self.acked) {
            let position = acked.position;
            let holders = rig.replicas.values().filter(|r| r.disk.holds(position));
            let (copies, claimed) = (holders.count(), usize::from(acked.copies));
            assert!(
                copies >= claimed || !self.is_durable,
                "{position} was acknowledged with {claimed} copies and has {copies} durable ones"
            );
            let wanted = acked.acks.copies(self.voters);
            assert!(
                claimed >= wanted,
                "{position}: {claimed} copies acknowledged, {wanted} asked"
            );
        }
        self.acked = rig.acked.len();
    }

    /// A read sees everything acknowledged before it was asked, or the position that it asked for, and
    /// nobody calls an acknowledged position discarded.
    fn judge_reads<M: Machine>(&mut self, rig: &Rig<M>) {
        for (node, verdict) in rig.reads.iter().skip(self.reads) {
            match verdict {
                ReadVerdict::ServeAt { ticket, at } => {
                    let need = usize::try_from(ticket.0).ok();
                    let need = need.and_then(|index| self.asked.get(index)).copied();
                    let need = need.unwrap_or(u64::MAX);
                    let sees = at.0 >= need || !self.is_lasting;
                    assert!(sees, "{node} serves {ticket:?} at {at}, it must see {need}");
                }
                ReadVerdict::Refused { error, .. } => {
                    let is_lost = matches!(error.kind(), ErrorKind::Discarded { .. });
                    let is_wrong = is_lost && self.is_lasting;
                    assert!(
                        !is_wrong,
                        "{node} calls what was acknowledged discarded: {error}"
                    );
                }
            }
        }
        self.reads = rig.reads.len();
    }

    /// Two replicas never apply different entries at one position, nor do two lives of one replica.
    fn judge_histories<M: Machine>(&mut self, rig: &Rig<M>) {
        for (node, replica) in &rig.replicas {
            let history = &replica.engine.history;
            let compared = self.compared.entry(*node).or_default();
            for new in history.iter().skip((*compared).min(history.len())) {
                let known = self.truth.entry(new.0.lsn.0).or_insert_with(|| new.clone());
                assert_eq!(known, new, "{node} applied something else at {}", new.0);
            }
            *compared = history.len();
        }
    }

    /// Whether every replica has applied the same, and all of its log.
    pub(super) fn is_agreed<M: Machine>(&self, rig: &Rig<M>) -> bool {
        let Some(first) = rig.replicas.values().next() else {
            return false;
        };
        rig.replicas.values().all(|replica| {
            let vitals = replica.vitals();
            let is_done = vitals.is_some_and(|v| v.last == replica.engine.position.lsn);
            is_done && replica.fates.open() == 0 && replica.engine.history == first.engine.history
        })
    }

    /// Every acknowledged write is in the history that everybody agrees on.
    pub(super) fn nothing_is_missing<M: Machine>(&self, rig: &Rig<M>) {
        let replicas = rig.replicas.values().filter(|_| self.is_lasting);
        for replica in replicas {
            for acked in &rig.acked {
                let (position, id) = (acked.position, replica.id);
                let holds = replica.engine.holds(position);
                assert!(holds, "{position} was acknowledged and is missing on {id}");
            }
        }
    }
}
