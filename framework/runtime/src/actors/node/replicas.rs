//! Starting replicas while the node runs, and stopping those that panicked.

use std::sync::Arc;

use repertoire_core::{
    Descriptor, EngineSpec, ErasedMachine, Error, ErrorKind, GroupId, Host, InstanceGen, Now,
    PeerEvent, RecoveredGroup, ShardId,
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
        if self.former.contains(&group) {
            let error = Error::new(ErrorKind::IdentityRefused, "start a replica")
                .with("group", group)
                .with(
                    "detail",
                    "this disk has held the group before it was removed",
                )
                .with(
                    "remedy",
                    "format the node anew, under a new disk, and add it again",
                );
            tracing::error!(%group, %error, "A replica does not start");
            let slot = Slot::refused(group, instance, descriptor, engine, error);
            self.slots.insert(group, Box::new(slot));
            return;
        }
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
            Ok(mut slot) => {
                tracing::info!(%group, "A replica started");
                self.tell_links(now, &mut slot);
                let bytes = slot.descriptor.options.log_retention_bytes;
                self.wiring.log.push(LogCommand::Retain { group, bytes });
                self.slots.insert(group, Box::new(slot));
                self.dirty.push(group);
            }
            Err(error) => tracing::error!(%group, %error, "A replica could not start"),
        }
    }

    /// Tells a replica that has just started which links are there.
    pub(super) fn tell_links(&self, now: Now, slot: &mut Slot) {
        for (peer, up) in &self.links {
            let event = if *up { PeerEvent::Up } else { PeerEvent::Down };
            slot.guard(|host| host.peer(now, *peer, event));
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
        self.abandon(&mut host, error);
        self.count("replica-poisoned", 1);
        self.plan_rebuild(now, slot);
    }

    /// Ends what was under way on a replica that is given up. Its bookkeeping may be damaged: what it
    /// wanted done is dropped, and clients are told that they cannot know.
    fn abandon(&mut self, host: &mut Host<ErasedMachine>, error: Error) {
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
    }

    /// Ends the replicas that a descriptor places on this node no longer, and notes the new version in
    /// those that stay. Keyspace 0 stays: it is how this node would learn that it is back.
    pub(super) fn end_replicas(&mut self, descriptor: &Arc<Descriptor>) {
        let mut left = Vec::new();
        let shard = |shard| GroupId::new(descriptor.id.0, shard);
        for (group, slot) in self.slots.range_mut(shard(0)..=shard(u32::MAX)) {
            if slot.descriptor.config_epoch == descriptor.config_epoch {
                continue;
            }
            let mut replicas = descriptor.replicas(group.shard).iter();
            let is_mine = replicas.any(|replica| replica.node == self.identity.node);
            if is_mine || *group == GroupId::CATALOGUE {
                slot.descriptor = Arc::clone(descriptor);
                slot.engine.descriptor = Arc::clone(descriptor);
            } else {
                left.push(*group);
            }
        }
        for group in left {
            let Some(mut slot) = self.slots.remove(&group) else {
                continue;
            };
            self.former.insert(group);
            tracing::info!(%group, "A replica ended: this node is no member of its group any more");
            if let Some(host) = &mut slot.host {
                let error = Error::new(ErrorKind::Unavailable, "request").with("group", group);
                let detail = "the node is no member of the group any more";
                self.abandon(host, error.with("detail", detail));
            }
        }
    }
}

/// The folder of an engine with files.
pub(crate) fn engine_folder(data: &std::path::Path, group: GroupId) -> std::path::PathBuf {
    let ShardId(shard) = group.shard;
    data.join("engines")
        .join(format!("{}-{shard}", group.keyspace.0))
}
