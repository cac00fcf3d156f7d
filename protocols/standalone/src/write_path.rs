//! Writes: append, wait for the medium, apply, acknowledge.

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Durability, Effects, Entry, EntryId, EntryKind, Error, ErrorKind, Fate, Proposal,
};

use crate::{Message, Standalone};

impl Standalone {
    /// Takes sealed records. While the epoch of this boot is not durable they wait.
    pub(crate) fn on_propose(&mut self, proposals: &mut Vec<Proposal>, fx: &mut Effects<Message>) {
        for proposal in proposals.drain(..) {
            if !proposal.acks.is_satisfiable(1) {
                let error = Error::new(ErrorKind::Unsupported, "write")
                    .with("acks", proposal.acks)
                    .with("remedy", "ask for one copy, or choose another protocol");
                fx.fates.push(Fate::Refused {
                    proposal: proposal.id,
                    error: Box::new(error),
                });
            } else if self.state.is_established() {
                self.place(proposal, fx);
            } else {
                self.waiting.push_back(proposal);
            }
        }
    }

    /// Gives a proposal its place in the log.
    pub(crate) fn place(&mut self, proposal: Proposal, fx: &mut Effects<Message>) {
        let entry = Entry {
            epoch: self.state.epoch,
            first: self.state.last.lsn.next(),
            count: proposal.count,
            wall: proposal.wall.max(self.state.wall),
            kind: EntryKind::Records,
            format: proposal.format,
            acks: proposal.acks,
            body: proposal.body,
        };
        fx.fates.push(Fate::Placed {
            proposal: proposal.id,
            first: EntryId::new(entry.epoch, entry.first),
        });
        self.state.append(entry, Some(proposal.id), fx);
    }

    /// Applies and acknowledges what has reached the medium that the keyspace asked for.
    pub(crate) fn acknowledge(&mut self, fx: &mut Effects<Message>) {
        let at_once =
            self.state.durability == Durability::Memory || planted(Bug::LeaderAcksBeforeDurable);
        let durable = self.state.durable_seq;
        let mut through = None;
        while let Some(pending) = self
            .state
            .pending
            .pop_front_if(|pending| at_once || pending.seq <= durable)
        {
            self.state.durable = pending.entry.last_lsn();
            through = pending.proposal.or(through);
            self.state.apply(pending.entry, fx);
        }
        if let Some(through) = through {
            fx.fates.push(Fate::Acked { through, copies: 1 });
        }
    }
}
