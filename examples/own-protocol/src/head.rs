//! The head: it orders writes, and tells clients of those that have gone all the way.

use std::collections::VecDeque;

use bytes::Bytes;
use repertoire_core::{
    Acks, Admission, Effects, Entry, EntryId, EntryKind, Error, ErrorKind, Fate, FormatTag,
    LeaderEpoch, LogOp, LogSeq, Lsn, Now, Proposal, ProposalId,
};

use crate::{Chain, Message};

/// What only the head keeps.
#[derive(Debug)]
pub(crate) struct Heading {
    /// The epoch of this boot.
    epoch: LeaderEpoch,
    /// The log operation that wrote the epoch down. No entry carries it before that is durable.
    epoch_seq: LogSeq,
    /// The first entry of this epoch, once it is in the log.
    barrier: Option<Lsn>,
    /// Whether writes are taken.
    is_open: bool,
    /// Proposals in the log that are not committed yet, with their last records.
    placed: VecDeque<(Lsn, ProposalId)>,
}

impl Heading {
    /// A head that begins `epoch`: each boot has one of its own, so that two entries never share a
    /// name, even when the power took the first one with it.
    pub(crate) fn begin(epoch: LeaderEpoch, fx: &mut Effects<Message>) -> Self {
        let hard_state = Bytes::copy_from_slice(&epoch.0.to_le_bytes());
        Self {
            epoch,
            epoch_seq: fx.log(LogOp::HardState(hard_state)),
            barrier: None,
            is_open: false,
            placed: VecDeque::new(),
        }
    }

    /// Whether everything that former selves acknowledged is committed here again.
    pub(crate) fn is_ready(&self, applied: Lsn) -> bool {
        self.barrier.is_some_and(|barrier| barrier <= applied)
    }
}

impl Chain {
    /// The newest leadership that this replica knows of: the head's is its own, the others' is that
    /// of their newest entry.
    pub(crate) fn epoch(&self) -> LeaderEpoch {
        let heading = self.heading.as_ref();
        heading.map_or(self.log.last.epoch, |heading| heading.epoch)
    }

    /// The epoch is durable: its first entry follows whatever former selves left in the log. Once
    /// that is committed, so is everything before it.
    pub(crate) fn begin_epoch(&mut self, now: Now, seq: LogSeq, fx: &mut Effects<Message>) {
        let Some(heading) = &mut self.heading else {
            return;
        };
        if heading.barrier.is_none() && seq >= heading.epoch_seq {
            let first = self.log.last.lsn.next();
            heading.barrier = Some(first);
            let barrier = Entry {
                epoch: heading.epoch,
                first,
                count: 1,
                wall: now.wall.max(self.log.wall),
                kind: EntryKind::Barrier,
                format: FormatTag::default(),
                acks: Acks::Sync,
                body: Bytes::new(),
            };
            self.log.append(barrier, fx);
        }
    }

    /// The engine holds everything up to `lsn`. Once that is all that former selves ordered, writes
    /// are taken: evaluations see all of the past, and repeated requests are known.
    pub(crate) fn open_for_writes(&mut self, lsn: Lsn, fx: &mut Effects<Message>) {
        if let Some(heading) = &mut self.heading
            && !heading.is_open
            && heading.is_ready(lsn)
        {
            heading.is_open = true;
            fx.admission = Some(Admission::Open);
        }
    }

    /// Takes sealed records. Whatever number of copies a request asks for, it gets all of them.
    // ANCHOR: propose
    pub(crate) fn on_propose(&mut self, proposals: &mut Vec<Proposal>, fx: &mut Effects<Message>) {
        for proposal in proposals.drain(..) {
            let Some(heading) = self.heading.as_mut().filter(|heading| heading.is_open) else {
                let error = Error::new(ErrorKind::Unavailable, "write").with("group", self.group);
                let (proposal, error) = (proposal.id, Box::new(error));
                fx.fates.push(Fate::Refused { proposal, error });
                continue;
            };
            let entry = Entry {
                epoch: heading.epoch,
                first: self.log.last.lsn.next(),
                count: proposal.count,
                wall: proposal.wall.max(self.log.wall),
                kind: EntryKind::Records,
                format: proposal.format,
                acks: Acks::Sync,
                body: proposal.body,
            };
            heading.placed.push_back((entry.last_lsn(), proposal.id));
            fx.fates.push(Fate::Placed {
                proposal: proposal.id,
                first: EntryId::new(entry.epoch, entry.first),
            });
            self.log.append(entry, fx);
        }
    }
    // ANCHOR_END: propose

    /// What is applied is on every replica: its clients may hear so.
    pub(crate) fn acknowledge(&mut self, fx: &mut Effects<Message>) {
        let Some(heading) = &mut self.heading else {
            return;
        };
        let (applied, copies) = (self.applied, self.place.replicas);
        let mut done = None;
        while let Some((_, proposal)) = heading.placed.pop_front_if(|(last, _)| *last <= applied) {
            done = Some(proposal);
        }
        if let Some(through) = done {
            fx.fates.push(Fate::Acked { through, copies });
        }
    }
}
