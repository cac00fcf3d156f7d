//! Snapshots as the Node actor sees them: when to make one, what to do with one that arrived.

use repertoire_core::{EntryId, Executor, FormatTag, Now, SnapshotOrder};

use super::{NodeActor, Slot};
use crate::actors::storage::StorageCommand;
use crate::snapshots::SnapshotNews;

impl NodeActor {
    pub(super) fn order_snapshots(&mut self, slot: &mut Slot, orders: Vec<SnapshotOrder>) {
        let (group, config_epoch) = (slot.group, slot.descriptor.config_epoch);
        for order in orders {
            let command = match order {
                SnapshotOrder::Send { to } => {
                    let base = slot.host.as_ref().map_or(EntryId::ZERO, |host| EntryId {
                        lsn: host.inspect().snapshot_lsn,
                        ..EntryId::ZERO
                    });
                    StorageCommand::Send {
                        group,
                        config_epoch,
                        to,
                        base,
                    }
                }
                SnapshotOrder::Fetch { from } => StorageCommand::Fetch {
                    group,
                    config_epoch,
                    from,
                },
            };
            self.wiring.storage.push(command);
        }
    }

    pub(super) fn snapshot_news(&mut self, now: Now, news: SnapshotNews) {
        match news {
            SnapshotNews::Durable {
                group,
                instance,
                position,
            } => {
                let Some(slot) = self.slots.get_mut(&group) else {
                    return;
                };
                if slot.instance == instance {
                    slot.guard(|host| host.checkpointed(now, position));
                    self.touch(group);
                }
            }
            SnapshotNews::Loaded { group, from, state } => {
                let Some(slot) = self.slots.get_mut(&group) else {
                    return;
                };
                let state = *state;
                let position = state.header.position;
                let engine = if slot.has_worker {
                    slot.worker = Some(Box::new(Executor::new(state.engine, &self.registry)));
                    None
                } else {
                    Some(state.engine)
                };
                let (header, dedup) = (state.header, state.dedup);
                let replaced = slot.guard(|host| host.install(now, &header, dedup, engine));
                if let Some(engine) = replaced.flatten() {
                    self.wiring.storage.push(StorageCommand::Free(engine));
                }
                let config_epoch = slot.descriptor.config_epoch;
                let installed = StorageCommand::Installed {
                    group,
                    config_epoch,
                    from,
                    position,
                };
                self.wiring.storage.push(installed);
                self.touch(group);
            }
            SnapshotNews::Sent {
                group,
                to,
                position,
            } => {
                let Some(slot) = self.slots.get_mut(&group) else {
                    return;
                };
                slot.guard(|host| host.snapshot_sent(now, to, position));
                self.touch(group);
            }
            SnapshotNews::Needed { group } => self.begin_snapshot(now, group),
            SnapshotNews::Failed { group, error } => {
                tracing::error!(%group, %error, "A snapshot could not be stored");
                self.count("snapshot-failed", 1);
            }
        }
    }

    fn begin_snapshot(&mut self, now: Now, group: repertoire_core::GroupId) {
        let Some(slot) = self.slots.get_mut(&group) else {
            return;
        };
        let format = self
            .registry
            .get_format(&slot.descriptor.log_format.name)
            .map_or(FormatTag(0), |format| format.tag());
        slot.guard(|host| host.begin_snapshot(now, format));
        self.touch(group);
    }

    /// Goes on with snapshots under way and begins those that are due.
    pub(super) fn tick_snapshots(&mut self, now: Now) {
        let groups: Vec<_> = self.slots.keys().copied().collect();
        for group in groups {
            let Some(slot) = self.slots.get_mut(&group) else {
                continue;
            };
            let Some(host) = &slot.host else { continue };
            if host.is_snapshotting() {
                slot.guard(|host| host.continue_snapshot(now));
                self.touch(group);
            } else if host.is_checkpoint_due() {
                self.begin_snapshot(now, group);
            }
        }
    }

    /// Whether a snapshot is being made: turns then come in quick succession.
    pub(super) fn is_snapshotting(&self) -> bool {
        self.slots.values().any(|s| {
            s.host
                .as_ref()
                .is_some_and(repertoire_core::Host::is_snapshotting)
        })
    }
}
