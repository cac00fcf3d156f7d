//! The sending side of snapshot transfers: it answers what the receiver asks for.

use std::time::Duration;

use repertoire_core::{
    ConfigEpoch, EntryId, GroupId, Mono, NodeId, SnapshotMessage, wanted_chunks,
};

use super::StorageActor;
use crate::clock;
use crate::snapshots::SnapshotNews;

/// Silence of the receiver after which the transfer counts as failed.
const SILENCE: Duration = Duration::from_secs(10);

/// A transfer to one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    config_epoch: ConfigEpoch,
    /// What was offered; `None` while one that fits is being made.
    position: Option<EntryId>,
    /// Older snapshots do not help.
    base: EntryId,
    heard: Mono,
}

impl StorageActor {
    /// Offers a peer the newest snapshot, or asks for one to be made.
    pub(super) fn offer(
        &mut self,
        group: GroupId,
        config_epoch: ConfigEpoch,
        to: NodeId,
        base: EntryId,
    ) {
        let now = clock::now().mono;
        if let Some(known) = self.sending.get(&(group, to))
            && known.position.is_some()
            && now.since(known.heard) < SILENCE
            && known.base == base
        {
            return;
        }
        let newest = self.store.newest(group).filter(|file| {
            let position = file.header().position;
            position.lsn >= base.lsn && position.lsn.0 > 0
        });
        let position = newest.as_ref().map(|file| file.header().position);
        self.sending.insert(
            (group, to),
            Sending {
                config_epoch,
                position,
                base,
                heard: now,
            },
        );
        match newest {
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
            .filter(|((of, _), sending)| *of == group && sending.position.is_none())
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
        let Some(file) = self.store.find(group, position) else {
            // It was superseded: the receiver starts over with a newer one.
            let base = sending.base;
            sending.position = None;
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
