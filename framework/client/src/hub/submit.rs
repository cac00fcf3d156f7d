//! Taking requests in.

use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{Acks, Error, ErrorKind, GroupId, NodeId, ReadLevel, ReadQuery, Wall};
use tokio::time::Instant;

use super::groups::{Group, replicas};
use super::links::LinkStage;
use super::{Hub, SPAN_MAX};
use crate::flight::{Flight, REQUEST_BYTES, ReadFlight, ReadWaiter, Stage, WriteWaiter, read_cost};
use crate::reads::ReadId;
use crate::session::Session;
use crate::trace::Traced;

/// A write to be taken in.
#[derive(Debug)]
pub(crate) struct NewWrite {
    pub(crate) group: GroupId,
    pub(crate) body: Bytes,
    pub(crate) waiter: WriteWaiter,
    pub(crate) deadline: Instant,
    pub(crate) acks: Option<Acks>,
    pub(crate) trace: Traced,
}

/// A read to be taken in.
#[derive(Debug)]
pub(crate) struct NewRead {
    pub(crate) group: GroupId,
    pub(crate) level: ReadLevel,
    pub(crate) query: ReadQuery,
    pub(crate) node: Option<NodeId>,
    pub(crate) waiter: ReadWaiter,
    pub(crate) deadline: Instant,
    pub(crate) trace: Traced,
}

impl Hub {
    /// Takes a write in, unless the budgets are used up: then it stays where it is.
    pub(crate) fn write(&mut self, offer: &mut Option<NewWrite>, now: Instant) {
        let Some(write) = offer else { return };
        if self.is_closed {
            if let Some(write) = offer.take() {
                let error = Error::new(ErrorKind::ShuttingDown, "write");
                write.waiter.failed(error, &mut self.pipes);
            }
            return;
        }
        let cost = write.body.len() + REQUEST_BYTES;
        if !self.has_place(cost) {
            return;
        }
        let Some(session) = self.session(write.group, now) else {
            return;
        };
        let Some(NewWrite {
            group,
            body,
            waiter,
            deadline,
            acks,
            trace,
        }) = offer.take()
        else {
            return;
        };
        session.numbering.push(Flight {
            body,
            waiter,
            deadline,
            acks,
            stage: Stage::Waiting,
            tries: 0,
            is_doubtful: false,
            trace,
        });
        session.last_used = now;
        self.held += cost;
        self.ready.insert(group);
        self.watch(deadline);
    }

    /// Takes a read in, unless the budgets are used up: then it stays where it is.
    pub(crate) fn read(&mut self, offer: &mut Option<NewRead>) {
        let Some(cost) = offer.as_ref().map(|read| read_cost(&read.query)) else {
            return;
        };
        if !self.is_closed && !self.has_place(cost) {
            return;
        }
        let Some(read) = offer.take() else { return };
        if self.is_closed {
            read.waiter
                .failed(Error::new(ErrorKind::ShuttingDown, "read"), &mut self.pipes);
            return;
        }
        let NewRead {
            group,
            level,
            query,
            node,
            waiter,
            deadline,
            trace,
        } = read;
        self.group(group);
        let (stage, tries) = (Stage::Waiting, 0);
        let flight = ReadFlight {
            group,
            level,
            query,
            node,
            waiter,
            deadline,
            stage,
            tries,
            trace,
        };
        let id = self.reads.add(flight);
        self.held += cost;
        self.ready_reads.push(id);
        self.watch(deadline);
    }

    /// Wakes whoever sends what is ready; has connections made that are missing.
    pub(crate) fn kick(&mut self) {
        let targets = self
            .ready
            .iter()
            .filter_map(|id| self.groups.get(id)?.target());
        let reads = self
            .ready_reads
            .iter()
            .filter_map(|id| self.read_target(*id));
        let mut is_missing = false;
        for node in targets.chain(reads) {
            match self.links.get(&node) {
                Some(link) if link.stage == LinkStage::Up => link.wake(),
                // To be made, or to be tried again when its pause is over.
                _ => is_missing = true,
            }
        }
        self.alarm |= is_missing;
    }

    fn has_place(&self, cost: usize) -> bool {
        self.held == 0 || self.held + cost <= self.held_max
    }

    /// The group's current session, if it has a number left.
    fn session(&mut self, id: GroupId, now: Instant) -> Option<&mut Session> {
        let lifetime = Duration::from_millis(self.group(id).lifetime_ms / 2);
        let is_stale = match self.groups.get(&id)?.sessions.last() {
            None => true,
            // The nodes may have forgotten it, or be about to; or its numbers have run so far ahead
            // of the last one that the nodes applied that their window cannot hold both.
            Some(session) => {
                let ahead = session.numbering.next() - session.known;
                let is_idle = session.numbering.span() == 0 && now - session.last_used > lifetime;
                is_idle || (ahead > SPAN_MAX as u64 && session.numbering.span() < SPAN_MAX)
            }
        };
        if is_stale {
            self.renew(id, Wall(0), now);
        }
        let session = self.groups.get_mut(&id)?.sessions.last_mut()?;
        (session.numbering.span() < SPAN_MAX).then_some(session)
    }

    /// Begins a new session of a group, created now or at `not_before`.
    pub(super) fn renew(&mut self, id: GroupId, not_before: Wall, now: Instant) {
        let created = repertoire_runtime::clock::now().wall.max(not_before);
        let client = self.random.client(created);
        self.last_tag += 1;
        let session = Session::new(self.last_tag, client, now);
        let group = self.group(id);
        group.sessions.push(session);
        group.tidy();
    }

    fn group(&mut self, id: GroupId) -> &mut Group {
        let (descriptors, links) = (&self.descriptors, &self.links);
        self.groups.entry(id).or_insert_with(|| {
            let Some(descriptor) = descriptors.get(&id.keyspace) else {
                return Group::new(id, links.keys().copied().collect(), 3_600_000);
            };
            let mut nodes = replicas(descriptor, id);
            let is_far = |node: &NodeId| {
                let stage = links.get(node).map(|link| link.stage);
                stage != Some(LinkStage::Up)
            };
            nodes.sort_by_key(is_far);
            Group::new(id, nodes, descriptor.options.session_lifetime_ms)
        })
    }

    /// Where a read goes.
    pub(super) fn read_target(&self, id: ReadId) -> Option<NodeId> {
        let read = self.reads.get(id)?;
        read.node.or_else(|| self.groups.get(&read.group)?.target())
    }
}
