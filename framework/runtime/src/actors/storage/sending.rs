//! The sending side of snapshot transfers: it answers what the receiver asks for.

use std::sync::Arc;
use std::time::Duration;

use repertoire_core::{
    ConfigEpoch, EntryId, GroupId, Lsn, Mono, NodeId, SnapshotMessage, wanted_chunks,
};

use super::StorageActor;
use crate::clock;
use crate::snapshots::{SnapshotFile, SnapshotNews};

/// Silence of the receiver after which the transfer counts as failed.
const SILENCE: Duration = Duration::from_secs(10);

/// A transfer to one peer.
#[derive(Debug)]
pub(crate) struct Sending {
    config_epoch: ConfigEpoch,
    /// What was offered; `None` while one that fits is being made. Held open: newer snapshots must
    /// not end a transfer, or one that takes longer than the time between two would never end.
    file: Option<Arc<SnapshotFile>>,
    /// Older snapshots do not help.
    base: Lsn,
    heard: Mono,
}

impl StorageActor {
    /// Offers a peer the newest snapshot, or asks for one to be made.
    pub(super) fn offer(
        &mut self,
        group: GroupId,
        config_epoch: ConfigEpoch,
        to: NodeId,
        base: Lsn,
    ) {
        let helps = |file: &Arc<SnapshotFile>| {
            let position = file.header().position;
            position.lsn >= base && position.lsn.0 > 0
        };
        // Offered again, the same one: a receiver that was restarted goes on where it was, and one
        // that was not ignores it.
        let known = self.sending.remove(&(group, to));
        let known = known.and_then(|known| known.file).filter(helps);
        let file = known.or_else(|| self.store.newest(group).filter(helps));
        self.sending.insert(
            (group, to),
            Sending {
                config_epoch,
                file: file.clone(),
                base,
                heard: clock::now().mono,
            },
        );
        match file {
            Some(file) => {
                let header = file.header().clone();
                self.say(group, config_epoch, to, SnapshotMessage::Offer(header));
            }
            None => self.tell(SnapshotNews::Needed { group }),
        }
    }

    /// A new snapshot is durable: peers that wait for one are offered it.
    pub(super) fn offer_waiting(&mut self, group: GroupId) {
        let waiting: Vec<_> = self
            .sending
            .iter()
            .filter(|((of, _), sending)| *of == group && sending.file.is_none())
            .map(|((_, to), sending)| (*to, sending.config_epoch, sending.base))
            .collect();
        for (to, config_epoch, base) in waiting {
            self.offer(group, config_epoch, to, base);
        }
    }

    pub(super) fn send_chunks(
        &mut self,
        group: GroupId,
        to: NodeId,
        position: EntryId,
        first: u32,
        count: u32,
    ) {
        let Some(sending) = self.sending.get_mut(&(group, to)) else {
            return;
        };
        sending.heard = clock::now().mono;
        let config_epoch = sending.config_epoch;
        let is_offered = |file: &Arc<SnapshotFile>| file.header().position == position;
        let Some(file) = sending.file.clone().filter(is_offered) else {
            // One of before this node's restart: the receiver starts over with a newer one.
            let base = sending.base;
            self.offer(group, config_epoch, to, base);
            return;
        };
        for index in wanted_chunks(file.header(), first, count) {
            match file.chunk(index) {
                Ok(rows) => {
                    let chunk = SnapshotMessage::Chunk {
                        position,
                        index,
                        rows,
                    };
                    self.say(group, config_epoch, to, chunk);
                }
                Err(error) => {
                    self.fail(group, error);
                    self.sent(group, to, None);
                    return;
                }
            }
        }
    }

    /// The transfer ended.
    pub(super) fn sent(&mut self, group: GroupId, to: NodeId, position: Option<EntryId>) {
        if self.sending.remove(&(group, to)).is_some() {
            self.tell(SnapshotNews::Sent {
                group,
                to,
                position,
            });
        }
    }

    pub(super) fn tick_sending(&mut self, now: Mono) {
        let silent: Vec<_> = self
            .sending
            .iter()
            .filter(|(_, sending)| now.since(sending.heard) >= SILENCE)
            .map(|(key, _)| *key)
            .collect();
        for (group, to) in silent {
            self.sent(group, to, None);
        }
    }
}
