//! Discarded writes of this node's replicas, for those who operate it.

use repertoire_core::{Discarded, EntryId, Error, ErrorKind, GroupId, Settlement};

use super::NodeActor;
use crate::admin::discards::{PAGE_BYTES, Page};

impl NodeActor {
    /// A page of what a replica has discarded.
    pub(super) fn discards(
        &mut self,
        group: GroupId,
        after: Option<EntryId>,
    ) -> Result<Page, Error> {
        let slot = self.running(group)?;
        let journal = slot.host.as_ref().and_then(|host| host.discards());
        let unsupported =
            || Error::new(ErrorKind::Unsupported, "list discarded writes").with("group", group);
        let journal = journal.ok_or_else(unsupported)?;
        let is_later = |write: &Discarded| {
            let at = write.position;
            after.is_none_or(|after| (at.epoch, at.lsn) > (after.epoch, after.lsn))
        };
        let mut later = journal.open().filter(is_later);
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES {
            let Some(write) = later.next() else { break };
            // About what it takes in the answer besides its operation.
            bytes += write.payload.len() + 256;
            writes.push(write);
        }
        let more = later.next().is_some();
        let unlisted = journal.unlisted().collect();
        Ok(Page {
            writes,
            unlisted,
            more,
        })
    }

    pub(super) fn settle(
        &mut self,
        group: GroupId,
        records: &[EntryId],
        how: Settlement,
    ) -> Result<usize, Error> {
        let slot = self.running(group)?;
        let lost =
            || Error::new(ErrorKind::Poisoned, "settle discarded writes").with("group", group);
        let settled = slot.guard(|host| host.settle(records, how));
        self.touch(group);
        settled.ok_or_else(lost)
    }
}
