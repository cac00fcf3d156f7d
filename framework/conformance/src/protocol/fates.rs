//! What became of a replica's proposals: each is placed or refused, once; each that was placed is done
//! or unknown, once.

use std::collections::BTreeMap;

use repertoire_core::{Acks, EntryId, Fate, ProposalId};

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    /// Its last record.
    pub(super) position: EntryId,
    /// Replicas that were said to hold it.
    pub(super) copies: u8,
    /// What was asked for.
    pub(super) acks: Acks,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Asked { count: u32, acks: Acks },
    Placed { last: EntryId, acks: Acks },
}

/// The proposals of one boot that are not decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Fates {
    open: BTreeMap<u64, Stage>,
    asked: u64,
    placed: u64,
}

impl Fates {
    /// Names the next proposal.
    pub(super) fn ask(&mut self, count: u32, acks: Acks) -> ProposalId {
        self.asked += 1;
        self.open.insert(self.asked, Stage::Asked { count, acks });
        ProposalId(self.asked)
    }

    /// Proposals that are not decided.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes a fate in; returns what it acknowledges.
    pub(super) fn take(&mut self, fate: &Fate) -> Vec<Acked> {
        match fate {
            Fate::Placed { proposal, first } => self.place(*proposal, *first),
            Fate::Refused { proposal, .. } => {
                let stage = self.open.remove(&proposal.0);
                let is_open = matches!(stage, Some(Stage::Asked { .. }));
                assert!(is_open, "refused twice, or after it was placed: {fate:?}");
            }
            Fate::Acked { through, copies } => return self.decide(..=through.0, *copies),
            Fate::Unknown { from, .. } => drop(self.decide(from.0.., 0)),
        }
        Vec::new()
    }

    fn place(&mut self, proposal: ProposalId, first: EntryId) {
        let stage = self.open.get_mut(&proposal.0);
        let Some(Stage::Asked { count, acks }) = stage.as_deref() else {
            let refusal = "placed twice, or after it was refused";
            unreachable_by_contract(&format!("{refusal}: {proposal:?} at {first}"));
        };
        assert!(
            self.placed < proposal.0,
            "placed out of order: {proposal:?}"
        );
        self.placed = proposal.0;
        let lsn = repertoire_core::Lsn(first.lsn.0 + u64::from(*count) - 1);
        let last = EntryId::new(first.epoch, lsn);
        let acks = *acks;
        if let Some(stage) = stage {
            *stage = Stage::Placed { last, acks };
        }
    }

    /// Ends the placed ones of a range.
    fn decide(&mut self, range: impl std::ops::RangeBounds<u64>, copies: u8) -> Vec<Acked> {
        let placed = |(id, stage): (&u64, &Stage)| match stage {
            Stage::Placed { last, acks } => Some((*id, *last, *acks)),
            Stage::Asked { .. } => None,
        };
        let done: Vec<_> = self.open.range(range).filter_map(placed).collect();
        for (id, ..) in &done {
            self.open.remove(id);
        }
        let acked = |(_, position, acks)| Acked {
            position,
            copies,
            acks,
        };
        done.into_iter().map(acked).collect()
    }
}

#[allow(clippy::panic, reason = "a failed check of a test suite")]
fn unreachable_by_contract(what: &str) -> ! {
    panic!("{what}")
}
