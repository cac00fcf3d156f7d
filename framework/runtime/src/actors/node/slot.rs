//! A place for one replica, which survives the replica's panics.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use repertoire_core::{
    Applied, DedupTable, Descriptor, EngineSpec, Entry, EntryId, ErasedMachine, Error, ErrorKind,
    Executor, GroupId, Host, HostBoot, InstanceGen, LoadedState, Mono, Now, RecoveredGroup,
    Registry,
};

use super::rebuild::Rebuild;
use crate::identity::Identity;

/// What a replica is started from.
pub(crate) struct SlotBoot {
    pub(crate) group: GroupId,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) instance: InstanceGen,
    pub(crate) recovered: RecoveredGroup,
    pub(crate) tail: Vec<Entry>,
    pub(crate) discards: Vec<Entry>,
    /// The state of the newest durable snapshot, if there is one.
    pub(crate) state: Option<LoadedState>,
    pub(crate) engine: EngineSpec,
}

/// A place for one replica.
pub(crate) struct Slot {
    pub(crate) group: GroupId,
    pub(crate) instance: InstanceGen,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) engine: EngineSpec,
    pub(crate) host: Option<Host<ErasedMachine>>,
    /// An engine that must be executed on the storage thread, until it was handed over.
    pub(crate) worker: Option<Box<Executor>>,
    /// Whether jobs go to the storage thread.
    pub(crate) has_worker: bool,
    pub(crate) timers: BTreeMap<u64, Mono>,
    pub(crate) dirty: bool,
    /// Whether members change by entries of the group's own log, which the descriptor only mirrors: what
    /// replicas say to each other does not depend on the version of it that they know.
    pub(crate) logs_members: bool,
    /// When deadlines, checkpoints and expiries are looked at again; at the next tick once anything has
    /// happened.
    pub(crate) look_at: Mono,
    /// Whether records of its log were lost to damage before this start.
    pub(crate) damaged: bool,
    /// Why the replica does not run.
    pub(crate) poison: Option<Error>,
    pub(crate) panics: u32,
    /// How it comes back.
    pub(crate) rebuild: Rebuild,
}

impl Slot {
    /// Starts a replica.
    ///
    /// # Errors
    /// `ConfigInvalid` for unknown plug-ins, `Corrupted` when the protocol refuses its own past.
    pub(crate) fn start(
        boot: SlotBoot,
        identity: &Identity,
        registry: &Arc<Registry>,
        now: Now,
    ) -> Result<Self, Error> {
        let SlotBoot {
            group,
            descriptor,
            instance,
            recovered,
            tail,
            discards,
            state,
            engine,
        } = boot;
        let factory = *registry.get_protocol(&descriptor.protocol.name)?;
        let (position, dedup, frontier, loaded) = match state {
            Some(state) => {
                let (position, frontier) = (state.header.position, state.header.frontier.clone());
                (position, state.dedup, frontier, state.engine)
            }
            None => {
                let fresh = registry.get_engine(&descriptor.engine.name)?(&engine)?;
                let (dedup, frontier) = (DedupTable::default(), bytes::Bytes::new());
                (EntryId::ZERO, dedup, frontier, fresh)
            }
        };
        let inline = loaded.capabilities().inline;
        let executor = Executor::new(loaded, registry);
        let (inline, worker) = if inline {
            (Some(executor), None)
        } else {
            (None, Some(Box::new(executor)))
        };
        let host_boot = HostBoot {
            group,
            descriptor: Arc::clone(&descriptor),
            me: identity.node,
            incarnation: identity.incarnation,
            instance,
            now,
            seed: seed(identity, group, instance),
            log: &recovered,
            tail,
            discards,
            applied: Applied {
                lsn: position.lsn,
                frontier,
            },
            position,
            dedup,
            registry: Arc::clone(registry),
        };
        let host = Host::boot(host_boot, inline, factory.boot)?;
        Ok(Self {
            group,
            instance,
            descriptor,
            engine,
            logs_members: host.members().is_some(),
            host: Some(host),
            has_worker: worker.is_some(),
            worker,
            timers: BTreeMap::new(),
            dirty: true,
            look_at: Mono::default(),
            damaged: recovered.damaged,
            poison: None,
            panics: 0,
            rebuild: Rebuild::default(),
        })
    }

    /// A place whose replica cannot start. The node's others go on.
    pub(crate) fn refused(
        group: GroupId,
        instance: InstanceGen,
        descriptor: Arc<Descriptor>,
        engine: EngineSpec,
        error: Error,
    ) -> Self {
        Self {
            group,
            instance,
            descriptor,
            engine,
            host: None,
            worker: None,
            has_worker: false,
            timers: BTreeMap::new(),
            dirty: true,
            logs_members: false,
            look_at: Mono::default(),
            damaged: true,
            poison: Some(error),
            panics: 0,
            rebuild: Rebuild::default(),
        }
    }

    /// Runs `step` on the replica. A panic poisons this slot and no other: what the replica wanted
    /// done is dropped whole.
    pub(crate) fn guard<R>(
        &mut self,
        step: impl FnOnce(&mut Host<ErasedMachine>) -> R,
    ) -> Option<R> {
        let host = self.host.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| step(host))) {
            Ok(result) => {
                if let Some(error) = host.failure() {
                    self.poison = Some(error.clone());
                }
                Some(result)
            }
            Err(panic) => {
                self.panics += 1;
                let what = panic_text(panic.as_ref());
                tracing::error!(group = %self.group, what, "A plug-in panicked");
                let error = Error::new(ErrorKind::Poisoned, "step")
                    .with("group", self.group)
                    .with("panic", what);
                self.poison = Some(error);
                None
            }
        }
    }

    /// The earliest timer.
    pub(crate) fn next_timer(&self) -> Mono {
        self.timers.values().copied().min().unwrap_or(Mono::NEVER)
    }
}

/// Differs between nodes, groups and boots: the hasher is keyed at random.
fn seed(identity: &Identity, group: GroupId, instance: InstanceGen) -> u64 {
    RandomState::new().hash_one((identity.incarnation.0, group, instance))
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
