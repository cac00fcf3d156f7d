//! Engines that run elsewhere: jobs in order, each taking its time.

use repertoire_core::{Executor, StorageEngine};

use super::{Event, World};
use crate::cast::Cast;

impl<C: Cast> World<'_, C> {
    /// Begins the next job of a replica's engine, unless one is under way. Its effect is there at
    /// once, its answer comes later, as from another thread.
    pub(crate) fn turn_engine(&mut self, n: usize, g: usize) {
        let time = self.time();
        let node = &mut self.nodes[n];
        let boot = node.boot;
        let is_slow = node.slow_engine_until > time;
        let replica = &mut node.replicas[g];
        let Some(executor) = &mut replica.executor else {
            return;
        };
        if replica.job_under_way.is_some() {
            return;
        }
        let Some(job) = replica.jobs.pop_front() else {
            return;
        };
        replica.job_under_way = Some(executor.run(job));
        let mut mean = self.plan.engine.unwrap_or_default();
        if is_slow {
            mean *= 20;
        }
        let span = self.rng.exponential(mean);
        let event = Event::JobDone {
            node: n as u8,
            group: g as u8,
            boot,
        };
        self.agenda.after(span, event);
        self.absorb_tape(n, g);
    }

    pub(crate) fn on_job_done(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let (Some(result), Some(host)) = (replica.job_under_way.take(), &mut replica.host) else {
            return;
        };
        host.job_done(now, result);
        self.touched(n, g);
        self.turn_engine(n, g);
    }

    /// The engine of a live replica, wherever it runs.
    pub(crate) fn engine(&self, n: usize, g: usize) -> Option<&dyn StorageEngine> {
        let replica = &self.nodes[n].replicas[g];
        let elsewhere = replica.executor.as_ref().map(Executor::engine);
        elsewhere.or_else(|| replica.host.as_ref()?.engine())
    }
}
