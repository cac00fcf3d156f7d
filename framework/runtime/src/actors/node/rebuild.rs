//! Building a replica anew in place, after its plug-in panicked or its engine failed.
//!
//! The storage thread loads the newest durable snapshot into a fresh engine, the log says what it
//! holds after it, and the replica boots from both as it would at the node's start. Whatever was
//! durable is there again; whatever was not had been told to nobody. A replica that goes on
//! panicking is given up after a few attempts, until somebody releases it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use repertoire_core::{
    Entry, Error, ErrorKind, GroupId, InstanceGen, LoadedState, Mono, Now, RecoveredGroup,
};

use super::slot::panic_text;
use super::{NodeActor, Slot, SlotBoot};
use crate::actors::log::LogCommand;
use crate::actors::storage::StorageCommand;

/// Attempts within [`WINDOW`]; the next panic is final.
const ATTEMPTS_MAX: usize = 3;

/// Older attempts do not count: the replica worked in between.
const WINDOW: Duration = Duration::from_mins(1);

/// How long to wait before the first attempt, and twice as long before each that follows.
const PAUSE: Duration = Duration::from_millis(50);

/// What the log holds of a replica that is built anew: its state, and the entries after the snapshot.
#[derive(Debug)]
pub(crate) struct LogContents {
    pub(crate) recovered: RecoveredGroup,
    pub(crate) tail: Vec<Entry>,
    pub(crate) discards: Vec<Entry>,
}

/// How a replica that stopped comes back.
#[derive(Default)]
pub(crate) struct Rebuild {
    attempts: VecDeque<Mono>,
    /// When the next attempt begins.
    due: Option<Mono>,
    /// An attempt is under way.
    is_under_way: bool,
    /// The newest durable snapshot, while the log is asked for the rest.
    state: Option<LoadedState>,
}

impl Rebuild {
    /// Whether the replica will be back without anybody's help, as far as one can tell.
    pub(crate) const fn is_pending(&self) -> bool {
        self.due.is_some() || self.is_under_way
    }

    /// Plans the next attempt. `false` when there were too many.
    fn plan(&mut self, now: Mono) -> bool {
        self.is_under_way = false;
        self.state = None;
        while self
            .attempts
            .pop_front_if(|at| now.since(*at) >= WINDOW)
            .is_some()
        {}
        let made = self.attempts.len();
        let pause = PAUSE * u32::try_from(1_usize << made.min(8)).unwrap_or(1);
        self.due = (made < ATTEMPTS_MAX).then(|| now.after(pause));
        self.due.is_some()
    }

    fn begin(&mut self, now: Mono) {
        self.due = None;
        self.is_under_way = true;
        self.attempts.push_back(now);
    }

    fn release(&mut self, now: Mono) {
        self.attempts.clear();
        self.due = Some(now);
    }
}

impl NodeActor {
    /// A replica stopped: it is built anew, or given up.
    pub(super) fn plan_rebuild(&mut self, now: Now, slot: &mut Slot) {
        let (group, panics) = (slot.group, slot.panics);
        if slot.rebuild.plan(now.mono) {
            tracing::warn!(%group, panics, "A replica will be built anew");
            return;
        }
        if let Some(error) = slot.poison.take() {
            let error = error
                .with("rebuilds", ATTEMPTS_MAX)
                .with("detail", "it stopped after every one of them");
            tracing::error!(%group, %error, "A replica was given up");
            slot.poison = Some(error);
        }
        self.count("replica-given-up", 1);
    }

    /// Begins the attempts that are due.
    pub(super) fn begin_rebuilds(&mut self, now: Now) {
        for slot in self.slots.values_mut() {
            if slot.rebuild.due.is_none_or(|due| due > now.mono) {
                continue;
            }
            slot.rebuild.begin(now.mono);
            // News for the replica that stopped are dropped from here on.
            slot.instance = self.next_instance;
            self.next_instance = InstanceGen(slot.instance.0 + 1);
            self.wiring.storage.push(StorageCommand::Rebuild {
                group: slot.group,
                instance: slot.instance,
                engine: slot.engine.clone(),
            });
        }
    }

    /// The newest snapshot is loaded: what does the log hold after it?
    pub(super) fn rebuild_loaded(
        &mut self,
        now: Now,
        group: GroupId,
        instance: InstanceGen,
        state: Result<Option<Box<LoadedState>>, Error>,
    ) {
        let Some(slot) = self.waiting_for(group, instance) else {
            return;
        };
        match state {
            Ok(state) => {
                slot.rebuild.state = state.map(|state| *state);
                let state = slot.rebuild.state.as_ref();
                let applied = state.map_or_else(Default::default, |s| s.header.position);
                self.wiring.log.push(LogCommand::Recover {
                    group,
                    instance,
                    applied,
                });
            }
            Err(error) => self.rebuild_failed(now, group, error),
        }
    }

    /// All is there: the replica boots.
    pub(super) fn rebuild_recovered(
        &mut self,
        now: Now,
        group: GroupId,
        instance: InstanceGen,
        contents: Result<LogContents, Error>,
    ) {
        let Some(slot) = self.waiting_for(group, instance) else {
            return;
        };
        let boot = contents.map(|contents| SlotBoot {
            group,
            descriptor: Arc::clone(&slot.descriptor),
            instance,
            recovered: contents.recovered,
            tail: contents.tail,
            discards: contents.discards,
            state: slot.rebuild.state.take(),
            engine: slot.engine.clone(),
        });
        let (identity, registry) = (&self.identity, &self.registry);
        let started = boot.and_then(|boot| {
            let start = AssertUnwindSafe(|| Slot::start(boot, identity, registry, now));
            catch_unwind(start).unwrap_or_else(|panic| {
                Err(Error::new(ErrorKind::Poisoned, "boot")
                    .with("group", group)
                    .with("panic", panic_text(panic.as_ref())))
            })
        });
        match started {
            Ok(fresh) => self.rebuilt(now, fresh),
            Err(error) => self.rebuild_failed(now, group, error),
        }
    }

    fn rebuilt(&mut self, now: Now, mut fresh: Slot) {
        let group = fresh.group;
        self.tell_links(now, &mut fresh);
        if let Some(old) = self.slots.remove(&group) {
            fresh.panics += old.panics;
            fresh.rebuild.attempts = old.rebuild.attempts;
        }
        self.slots.insert(group, Box::new(fresh));
        self.dirty.push(group);
        tracing::info!(%group, "A replica was built anew");
        self.count("replica-rebuilt", 1);
    }

    fn rebuild_failed(&mut self, now: Now, group: GroupId, error: Error) {
        let Some(mut slot) = self.slots.remove(&group) else {
            return;
        };
        tracing::error!(%group, %error, "A replica could not be built anew");
        slot.poison = Some(error);
        self.plan_rebuild(now, &mut slot);
        self.slots.insert(group, slot);
    }

    fn waiting_for(&mut self, group: GroupId, instance: InstanceGen) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&group)?;
        let is_it = slot.instance == instance && slot.rebuild.is_under_way;
        is_it.then_some(slot)
    }

    /// Lets a replica that was given up start again.
    pub(super) fn release(&mut self, now: Now, group: GroupId) -> Result<(), Error> {
        let unknown = || Error::new(ErrorKind::UnknownKeyspace, "release").with("group", group);
        let slot = self.slots.get_mut(&group).ok_or_else(unknown)?;
        if slot.poison.is_some() && !slot.rebuild.is_pending() {
            slot.rebuild.release(now.mono);
        }
        Ok(())
    }
}
