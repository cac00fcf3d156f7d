//! Snapshots as the Node actor sees them: when to make one, what to do with one that arrived.

use std::sync::atomic::Ordering;
use std::time::Duration;

use repertoire_core::{
    Executor, FormatTag, GroupId, Host, LoadedState, Mono, NodeId, Now, SnapshotOrder,
};

use super::{NodeActor, Slot};
use crate::actors::storage::StorageCommand;
use crate::snapshots::SnapshotNews;

/// Between two chunks of a quarter of a megabyte: about 128 MB a second.
const CHUNK_PAUSE: Duration = Duration::from_millis(2);

/// Chunks that wait to be written to a snapshot's file; with more, no further ones are read.
const UNWRITTEN_BYTES_MAX: usize = 16 * 1024 * 1024;

impl NodeActor {
    pub(super) fn order_snapshots(&mut self, slot: &mut Slot, orders: Vec<SnapshotOrder>) {
        let (group, config_epoch) = (slot.group, slot.descriptor.config_epoch);
        for order in orders {
            let command = match order {
                SnapshotOrder::Send { to, base } => StorageCommand::Send {
                    group,
                    config_epoch,
                    to,
                    base,
                },
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
                self.snapshot_loaded(now, (group, from), *state);
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
            SnapshotNews::Reloaded {
                group,
                instance,
                state,
            } => self.rebuild_loaded(now, group, instance, state),
            SnapshotNews::Needed { group } => self.begin_snapshot(now, group),
            SnapshotNews::Failed { group, error } => {
                tracing::error!(%group, %error, "A snapshot could not be stored");
                if let Some(slot) = self.slots.get_mut(&group) {
                    slot.guard(Host::checkpoint_failed);
                }
                self.touch(group);
                self.count("snapshot-failed", 1);
            }
        }
    }

    /// A snapshot of a peer is durable here, and loaded.
    fn snapshot_loaded(&mut self, now: Now, (group, from): (GroupId, NodeId), state: LoadedState) {
        let Some(slot) = self.slots.get_mut(&group) else {
            return;
        };
        let position = state.header.position;
        let installed = StorageCommand::Installed {
            group,
            config_epoch: slot.descriptor.config_epoch,
            from,
            position,
        };
        let takes = |host: &Host<_>| host.takes_snapshot(position);
        if slot.host.as_ref().is_some_and(|host| !takes(host)) {
            // Overtaken while it was on its way. Its sender goes on from where this replica is.
            self.wiring.storage.push(installed);
            return self.wiring.storage.push(StorageCommand::Free(state.engine));
        }
        let engine = if slot.has_worker {
            slot.worker = Some(Box::new(Executor::new(state.engine, &self.registry)));
            None
        } else {
            Some(state.engine)
        };
        let (header, dedup) = (state.header, state.dedup);
        let replaced = slot.guard(|host| host.install(now, &header, dedup, engine));
        if replaced.is_none() {
            // Not in force: the replica stopped. Built anew, it finds the snapshot's file.
            return self.touch(group);
        }
        if let Some(engine) = replaced.flatten() {
            self.wiring.storage.push(StorageCommand::Free(engine));
        }
        self.wiring.storage.push(installed);
        self.touch(group);
    }

    fn begin_snapshot(&mut self, now: Now, group: GroupId) {
        let Some(slot) = self.slots.get_mut(&group) else {
            return;
        };
        let format = self
            .registry
            .get_format(&slot.descriptor.log_format.name)
            .map_or(FormatTag(0), |format| format.tag());
        slot.guard(|host| host.begin_snapshot(now, format));
        self.has_snapshots = true;
        self.touch(group);
    }

    /// Begins the snapshots that are due.
    pub(super) fn begin_due_snapshots(&mut self, now: Now) {
        let due = |slot: &Slot| slot.host.as_ref().is_some_and(Host::is_checkpoint_due);
        let groups: Vec<_> = self
            .slots
            .values()
            .filter(|slot| due(slot))
            .map(|slot| slot.group)
            .collect();
        for group in groups {
            self.begin_snapshot(now, group);
        }
    }

    /// Goes on with snapshots under way, a chunk of each at a time, with pauses that leave most of
    /// the node's time to its clients. Answers when to go on.
    pub(super) fn continue_snapshots(&mut self, now: Now) -> Mono {
        if !self.has_snapshots {
            return Mono::NEVER;
        }
        let unwritten = self.wiring.transfer_stats.unwritten.load(Ordering::Relaxed);
        let is_time = now.mono >= self.next_chunk;
        let mut groups = Vec::new();
        let (mut making, mut urgent) = (false, false);
        for slot in self.slots.values_mut() {
            let Some(host) = slot.host.as_ref().filter(|host| host.is_snapshotting()) else {
                continue;
            };
            making = true;
            // Writes wait for this one: a chunk in every turn, and the next turn at once.
            let is_urgent = host.is_held_up();
            if (is_time || is_urgent) && unwritten < UNWRITTEN_BYTES_MAX {
                slot.guard(|host| host.continue_snapshot(now));
                groups.push(slot.group);
                urgent |= is_urgent;
            }
        }
        self.has_snapshots = making;
        for group in groups {
            self.touch(group);
        }
        if is_time {
            self.next_chunk = now.mono.after(CHUNK_PAUSE);
        }
        if urgent { now.mono } else { self.next_chunk }
    }
}
