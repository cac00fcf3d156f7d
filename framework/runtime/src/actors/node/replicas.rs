//! Starting replicas while the node runs, and stopping those that panicked.

use std::sync::Arc;

use repertoire_core::{
    Descriptor, EngineSpec, Error, ErrorKind, GroupId, InstanceGen, Now, RecoveredGroup, ShardId,
};

use super::{NodeActor, Slot, SlotBoot};
use crate::actors::log::LogCommand;

impl NodeActor {
    /// Starts the replicas that a descriptor places on this node and that do not run yet.
    pub(super) fn start_replicas(&mut self, now: Now, descriptor: &Arc<Descriptor>) {
        for (shard, replicas) in &descriptor.placement.shards {
            let group = GroupId {
                keyspace: descriptor.id,
                shard: *shard,
            };
            let mine = replicas
                .iter()
                .any(|replica| replica.node == self.identity.node);
            if mine && !self.slots.contains_key(&group) {
                self.start_replica(now, group, Arc::clone(descriptor));
            }
        }
    }

    fn start_replica(&mut self, now: Now, group: GroupId, descriptor: Arc<Descriptor>) {
        let instance = self.next_instance;
        self.next_instance = InstanceGen(instance.0 + 1);
        let engine = EngineSpec {
            descriptor: Arc::clone(&descriptor),
            folder: engine_folder(&self.options.data, group),
        };
        let boot = SlotBoot {
            group,
            descriptor,
            instance,
            recovered: RecoveredGroup::default(),
            tail: Vec::new(),
            discards: Vec::new(),
            state: None,
            engine,
        };
        match Slot::start(boot, &self.identity, &self.registry, now) {
            Ok(slot) => {
                tracing::info!(%group, "A replica started");
                let bytes = slot.descriptor.options.log_retention_bytes;
                self.wiring.log.push(LogCommand::Retain { group, bytes });
                self.slots.insert(group, Box::new(slot));
                self.dirty.push(group);
            }
            Err(error) => tracing::error!(%group, %error, "A replica could not start"),
        }
    }

    /// Ends what was under way on a replica whose plug-in panicked or whose engine failed.
    pub(super) fn stop_poisoned(&mut self, now: Now, slot: &mut Slot) {
        let Some(mut host) = slot.host.take() else {
            return;
        };
        slot.timers.clear();
        let poisoned = || Error::new(ErrorKind::Poisoned, "request").with("group", slot.group);
        let error = slot.poison.clone().unwrap_or_else(poisoned);
        // Its bookkeeping may be damaged: what it wanted done is dropped, and clients are told that
        // they cannot know.
        let unknown = error.with_outcome(repertoire_core::WriteOutcome::Unknown);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            host.abandon(&unknown);
            std::mem::take(&mut host.output().replies)
        }));
        for reply in told.unwrap_or_default() {
            self.replies
                .entry(reply.to.session)
                .or_default()
                .push(reply);
        }
        self.count("replica-poisoned", 1);
        self.plan_rebuild(now, slot);
    }
}

/// The folder of an engine with files.
pub(crate) fn engine_folder(data: &std::path::Path, group: GroupId) -> std::path::PathBuf {
    let ShardId(shard) = group.shard;
    data.join("engines")
        .join(format!("{}-{shard}", group.keyspace.0))
}
