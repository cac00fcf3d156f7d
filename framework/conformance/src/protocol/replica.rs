//! One replica of the suite's cluster: a machine with its disk, engine and timers.

use std::collections::BTreeMap;
use std::sync::Arc;

use repertoire_core::{
    Admission, Boot, Descriptor, Effects, Encoded, Error, GroupId, Incarnation, InstanceGen,
    LogSeq, Machine, Mono, NodeId, Now, ShardId, Vitals,
};

use super::disk::Disk;
use super::engine::Engine;
use super::fates::Fates;
use crate::must::must;

/// How machines of a kind are booted, and what their messages are as bytes.
#[derive(Debug)]
pub(super) struct Kind<M: Machine> {
    pub(super) boot: fn(Boot<'_>, &mut Effects<M::Message>) -> Result<M, Error>,
    pub(super) encode: fn(M::Message) -> Encoded,
}

impl<M: Machine> Clone for Kind<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Machine> Copy for Kind<M> {}

pub(super) struct Replica<M: Machine> {
    pub(super) id: NodeId,
    /// `None` while the process is down.
    pub(super) machine: Option<M>,
    pub(super) disk: Disk,
    pub(super) engine: Engine,
    pub(super) fx: Effects<M::Message>,
    pub(super) timers: BTreeMap<u64, Mono>,
    pub(super) admission: Admission,
    pub(super) fates: Fates,
    /// Whether input is collected instead of being flushed at once.
    pub(super) is_batching: bool,
    /// Log operations handed to the disk in this boot.
    logged: LogSeq,
    boots: u64,
}

impl<M: Machine> Replica<M> {
    /// One that is down, with an empty disk.
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            machine: None,
            disk: Disk::default(),
            engine: Engine::default(),
            fx: Effects::default(),
            timers: BTreeMap::new(),
            admission: Admission::Wait,
            fates: Fates::default(),
            is_batching: false,
            logged: LogSeq(0),
            boots: 0,
        }
    }

    /// Starts it from its disk.
    pub(super) fn boot(&mut self, kind: Kind<M>, descriptor: Arc<Descriptor>, now: Now) {
        let (disk, boots) = (std::mem::take(&mut self.disk), self.boots + 1);
        *self = Self {
            engine: disk.snapshot(),
            disk,
            boots,
            ..Self::new(self.id)
        };
        let (log, applied) = (self.disk.recovered(), self.engine.applied());
        let boot = Boot {
            group: GroupId::new(descriptor.id.0, ShardId(0).0),
            descriptor,
            me: self.id,
            incarnation: Incarnation(u128::from(self.id.0)),
            instance: InstanceGen(boots),
            now,
            seed: self.id.0 * 1000 + boots,
            log: &log,
            tail: self.disk.entries(),
            discards: self.disk.discards(),
            applied: &applied,
        };
        let machine = must(
            (kind.boot)(boot, &mut self.fx),
            "booting from what the disk holds",
        );
        self.machine = Some(machine);
    }

    /// Ends it without warning. What it was told to keep and did not sync is lost, but for the first
    /// `survive` operations.
    pub(super) fn crash(&mut self, survive: usize) {
        self.machine = None;
        self.fx = Effects::default();
        self.disk.lose_power(survive);
    }

    /// Hands the log operations of the last steps to the disk.
    pub(super) fn write_log(&mut self) {
        let first = self.logged.next();
        self.logged = self.fx.last_log_seq();
        let ops = std::mem::take(&mut self.fx.log);
        self.disk.write(first, ops);
    }

    pub(super) fn order_timers(&mut self) {
        for timer in std::mem::take(&mut self.fx.timers) {
            match timer.at {
                Some(at) => drop(self.timers.insert(timer.key, at)),
                None => drop(self.timers.remove(&timer.key)),
            }
        }
    }

    /// Its numbers, which must be in order and agree with its status.
    pub(super) fn vitals(&self) -> Option<Vitals> {
        let machine = self.machine.as_ref()?;
        let (status, vitals) = (machine.inspect(), machine.vitals());
        assert_eq!(
            vitals,
            Vitals::from(&status),
            "`vitals` and `inspect` differ"
        );
        let Vitals {
            last,
            commit,
            applied,
            snapshot,
            ..
        } = vitals;
        let is_ordered = snapshot <= applied && applied <= commit && commit <= last;
        assert!(is_ordered, "snapshot ≤ applied ≤ commit ≤ last: {vitals:?}");
        Some(vitals)
    }
}
