//! What happens by time: deadlines, the ends of pauses, and connections to be made.

use std::collections::BTreeSet;

use repertoire_core::{Error, ErrorKind, KeyspaceId, NodeId};
use tokio::time::Instant;

use super::Hub;
use super::links::{Link, LinkStage};
use crate::flight::{Flight, Stage};

/// What the driver is to do.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Connections to make.
    pub(crate) connect: Vec<NodeId>,
    /// Descriptors to fetch, by number and name.
    pub(crate) resolve: Vec<(KeyspaceId, String)>,
    /// When to look again.
    pub(crate) wake: Option<Instant>,
}

impl Hub {
    /// Looks at the clock.
    pub(crate) fn tick(&mut self, now: Instant) -> Orders {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.sweep(now);
        }
        let mut orders = Orders::default();
        for id in std::mem::take(&mut self.stale) {
            if let Some(descriptor) = self.descriptors.get(&id) {
                orders.resolve.push((id, descriptor.name.clone()));
            }
        }
        orders.wake = self.earliest;
        let mut look_again = |at: Instant| {
            orders.wake = Some(orders.wake.map_or(at, |wake| wake.min(at)));
        };
        let mut silent = Vec::new();
        for node in self.wanted() {
            let link = self.links.entry(node).or_insert_with(|| Link::new(now));
            match link.stage {
                LinkStage::Up => link.wake(),
                LinkStage::Connecting if link.patience_ends() <= now => {
                    silent.push(node);
                    look_again(now);
                }
                LinkStage::Connecting => look_again(link.patience_ends()),
                LinkStage::Down(until) if until <= now => {
                    link.dial(now);
                    look_again(link.patience_ends());
                    orders.connect.push(node);
                }
                LinkStage::Down(until) => look_again(until),
            }
        }
        for node in silent {
            self.avoid(node, now);
        }
        self.pipes.wake();
        self.wake_at = orders.wake;
        self.alarm = false;
        orders
    }

    /// Nodes that something waits for.
    fn wanted(&self) -> BTreeSet<NodeId> {
        let writes = self
            .ready
            .iter()
            .filter_map(|id| self.groups.get(id)?.target());
        let reads = self
            .ready_reads
            .iter()
            .filter_map(|id| self.read_target(*id));
        let admin = self
            .links
            .iter()
            .filter(|(_, link)| !link.admin_queue.is_empty());
        writes
            .chain(reads)
            .chain(admin.map(|(node, _)| *node))
            .collect()
    }

    fn sweep(&mut self, now: Instant) {
        self.earliest = None;
        let mut late = Vec::new();
        let ids: Vec<_> = self.groups.keys().copied().collect();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            let mut next: Option<Instant> = None;
            for session in &mut group.sessions {
                let deadline = session.end_late(now, &mut late);
                let pause = session.end_pauses(now);
                let times = [next, deadline, pause];
                next = times.into_iter().flatten().min();
            }
            group.tidy();
            if group.has_work() {
                self.ready.insert(id);
            }
            if let Some(next) = next {
                self.watch(next);
            }
            for flight in late.drain(..) {
                self.end_write(flight, id, ErrorKind::Timeout);
            }
        }
        self.sweep_reads(now);
        self.sweep_admin(now);
    }

    fn sweep_reads(&mut self, now: Instant) {
        for (at, id) in std::mem::take(&mut self.paused_reads) {
            let Some(read) = self.reads.get_mut(id) else {
                continue;
            };
            if at > now {
                self.paused_reads.push((at, id));
                self.watch(at);
            } else {
                read.stage = Stage::Waiting;
                self.ready_reads.push(id);
            }
        }
        for id in self.reads.ids() {
            let Some(read) = self.reads.get(id) else {
                continue;
            };
            let (deadline, group, stage, cost) =
                (read.deadline, read.group, read.stage, read.cost());
            if deadline > now {
                self.watch(deadline);
                continue;
            }
            self.leave(stage, cost);
            let error = self
                .because(Error::new(ErrorKind::Timeout, "read"))
                .with("group", group);
            self.end_read(id, |tries| error.with("attempts", tries));
        }
    }

    /// Ends a write that is not waited for any longer.
    fn end_write(&mut self, mut flight: Flight, id: repertoire_core::GroupId, kind: ErrorKind) {
        let cost = flight.cost();
        self.leave(flight.stage, cost);
        flight.is_doubtful |= matches!(flight.stage, Stage::UnderWay(_));
        let error = self.because(Error::new(kind, "write"));
        let error = self.report(&error, &flight, id, None);
        self.release(cost);
        flight.waiter.failed(error, &mut self.pipes);
    }

    /// Gives back what a request under way held of its connection.
    fn leave(&mut self, stage: Stage, cost: usize) {
        let Stage::UnderWay(generation) = stage else {
            return;
        };
        if let Some(link) = self
            .links
            .values_mut()
            .find(|link| link.generation == generation)
        {
            link.flying = link.flying.saturating_sub(cost);
            link.wake();
        }
    }

    fn because(&self, error: Error) -> Error {
        match &self.trouble {
            Some(trouble) => error.with("last_failure", trouble),
            None => error,
        }
    }

    pub(super) fn end_everything(&mut self) {
        let mut flights = Vec::new();
        for (id, group) in &mut self.groups {
            for session in &mut group.sessions {
                let seqs: Vec<_> = session.numbering.iter().map(|(seq, _)| seq).collect();
                let ended = seqs
                    .into_iter()
                    .filter_map(|seq| session.numbering.settle(seq));
                flights.extend(ended.map(|flight| (*id, flight)));
            }
        }
        for (id, flight) in flights {
            self.end_write(flight, id, ErrorKind::ShuttingDown);
        }
        for id in self.reads.ids() {
            self.end_read(id, |_| Error::new(ErrorKind::ShuttingDown, "read"));
        }
        for link in self.links.values_mut() {
            link.fail_admin(&Error::new(ErrorKind::ShuttingDown, "ask"));
        }
        self.pipes.wake();
    }
}
