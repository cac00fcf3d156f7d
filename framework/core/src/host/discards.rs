//! Discarded writes of the replica: what it knows of them, and what is decided.

use super::Host;
use crate::{Effects, EntryId, Journal, Machine, PayloadHash, RequestId, Settlement, Verdict};

impl<M: Machine> Host<M> {
    /// The writes that this replica discarded and that nobody has settled; `None` for a protocol
    /// that keeps no account of them.
    pub fn discards(&self) -> Option<&Journal> {
        self.machine.discards()
    }

    /// Settles discarded writes, and unlisted ranges by their first record. Returns how many of
    /// `records` waited for that. It is durable as soon as the log is; what is not named, or was
    /// settled before, stays as it is.
    pub fn settle(&mut self, records: &[EntryId], how: Settlement) -> usize {
        self.machine.settle(records, how, &mut self.fx)
    }

    /// A snapshot has brought a history whose entries were not seen one by one: requests that it
    /// holds are not discarded.
    pub(super) fn settle_executed(&mut self) {
        let Self {
            machine, dedup, fx, ..
        } = self;
        let Some(journal) = machine.discards() else {
            return;
        };
        let is_executed = |client, seq| {
            let id = RequestId {
                client,
                seq,
                acked_upto: 0,
            };
            let verdict = dedup.check(&id, PayloadHash::default());
            matches!(verdict, Verdict::Done(_) | Verdict::Reused)
        };
        let executed = journal.open_requests();
        let executed = executed.filter(|(_, client, seq)| is_executed(*client, *seq));
        let executed: Vec<EntryId> = executed.map(|(at, _, _)| at).collect();
        settle(machine, &executed, fx);
    }
}

fn settle<M: Machine>(machine: &mut M, executed: &[EntryId], fx: &mut Effects<M::Message>) {
    if !executed.is_empty() {
        machine.settle(executed, Settlement::Kept, fx);
    }
}
