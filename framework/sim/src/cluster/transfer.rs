//! Snapshots on their way from node to node, over the same network as everything else.

use std::sync::Arc;

use repertoire_core::{
    ChunkVerdict, Class, EngineSpec, EntryId, Host, NodeId, PeerEvent, SnapshotHeader,
    SnapshotMessage, SnapshotReceiver, load_snapshot, wanted_chunks,
};

use super::event::{Parcel, peer};
use super::node::{Incoming, Offered, StoredSnapshot};
use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};
use crate::fault::kind::Shape;
use crate::invariants::log_matching::Place;
use crate::invariants::recovery;
use crate::plan::node_index;
use crate::sometimes::Situation;
use crate::watch::WatchedEngine;

/// How often transfers are looked at.
const TICK: Nanos = 300 * MILLI;
/// Silence of a receiver after which a transfer counts as failed.
const SILENCE: Nanos = 3000 * MILLI;

impl<C: Cast> World<'_, C> {
    pub(crate) fn send_transfer(
        &mut self,
        n: usize,
        g: usize,
        to: NodeId,
        message: SnapshotMessage,
    ) {
        let time = self.time();
        let to = node_index(to);
        let delivery = self.net.send(time, n, to, Class::Bulk, &mut self.tally);
        let link = self.link(n, to);
        if let Some(at) = delivery.writable_at {
            self.tell_link(n, to, PeerEvent::Writable, at - time);
        }
        for at in [delivery.first, delivery.second].into_iter().flatten() {
            let slot = self.transfers.put(Parcel {
                from: n as u8,
                to: to as u8,
                group: g as u8,
                link: Some(link),
                message: message.clone(),
            });
            self.agenda.at(at, Event::Transfer(slot));
        }
    }

    /// Asks a peer for a snapshot.
    pub(crate) fn request_snapshot(&mut self, n: usize, g: usize, from: NodeId) {
        self.send_transfer(n, g, from, SnapshotMessage::Request);
    }

    pub(crate) fn on_transfer(&mut self, slot: u32) {
        let Some(parcel) = self.transfers.take(slot) else {
            return;
        };
        let (n, g) = (usize::from(parcel.to), usize::from(parcel.group));
        if !self.arrives(&parcel) || !self.nodes[n].is_up {
            return;
        }
        self.trace
            .note(8, (n as u64) << 8 | g as u64, u64::from(parcel.from));
        let from = peer(parcel.from);
        match parcel.message {
            SnapshotMessage::Request => self.offer(n, g, from),
            SnapshotMessage::Offer(header) => self.on_offer(n, g, from, header),
            SnapshotMessage::Want {
                position,
                from: first,
                count,
            } => self.on_want(n, g, from, position, first, count),
            SnapshotMessage::Chunk {
                position,
                index,
                rows,
            } => self.on_chunk(n, g, position, index, rows),
            SnapshotMessage::Done {
                position,
                installed,
            } => self.on_done(n, g, from, position, installed),
        }
    }

    fn on_want(
        &mut self,
        n: usize,
        g: usize,
        to: NodeId,
        position: EntryId,
        from: u32,
        count: u32,
    ) {
        let time = self.time();
        let offered = &mut self.nodes[n].replicas[g].snapshots.offered;
        let same =
            |known: &&mut Offered| known.to == to && known.stored.header.position == position;
        let Some(known) = offered.iter_mut().find(same) else {
            // The sender restarted: what it has now is offered anew.
            self.offer(n, g, to);
            return;
        };
        known.heard = time;
        let stored = Arc::clone(&known.stored);
        for index in wanted_chunks(&stored.header, from, count) {
            let rows = stored.chunks[index as usize].clone();
            let chunk = SnapshotMessage::Chunk {
                position,
                index,
                rows,
            };
            self.send_transfer(n, g, to, chunk);
        }
    }

    fn on_offer(&mut self, n: usize, g: usize, from: NodeId, header: SnapshotHeader) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let desk = &mut replica.snapshots;
        let position = header.position;
        // Offers arrive twice and late: what is applied here already is never replaced by less.
        let applied = replica.host.as_ref().map_or(0, |host| host.applied().lsn.0);
        if position.lsn.0 <= applied {
            let done = SnapshotMessage::Done {
                position,
                installed: true,
            };
            self.send_transfer(n, g, from, done);
            return;
        }
        let stays = |incoming: &mut Incoming| {
            incoming.is_loading || !incoming.receiver.yields_to(&header, from, now.mono)
        };
        if desk.incoming.as_mut().is_some_and(stays) {
            return;
        }
        let given_up = desk.incoming.take().map(|incoming| StoredSnapshot {
            header: incoming.receiver.header().clone(),
            chunks: incoming.chunks,
        });
        let partial = given_up
            .or(desk.partial.take())
            .filter(|partial| partial.header == header);
        let chunks = partial.map_or_else(Vec::new, |partial| partial.chunks);
        if !chunks.is_empty() {
            self.reached.note(Situation::TransferResumed);
        }
        let have = chunks.len() as u32;
        let (receiver, want) = SnapshotReceiver::accept(header, from, have, now.mono);
        let is_complete = receiver.is_complete();
        desk.incoming = Some(Incoming {
            receiver,
            chunks,
            is_loading: false,
        });
        if let Some(want) = want {
            self.send_transfer(n, g, from, want);
        }
        if is_complete {
            self.begin_loading(n, g);
        }
        self.plan_transfer_tick(n, g);
    }

    fn on_chunk(&mut self, n: usize, g: usize, position: EntryId, index: u32, rows: bytes::Bytes) {
        let now = self.now(n);
        let Some(incoming) = &mut self.nodes[n].replicas[g].snapshots.incoming else {
            return;
        };
        let from = incoming.receiver.from();
        let verdict = incoming.receiver.chunk(position, index, &rows, now.mono);
        match verdict {
            ChunkVerdict::Ignored => return,
            ChunkVerdict::Stored(want) => {
                incoming.chunks.push(rows);
                if let Some(want) = want {
                    self.send_transfer(n, g, from, want);
                }
            }
            ChunkVerdict::Complete => {
                incoming.chunks.push(rows);
                self.begin_loading(n, g);
            }
        }
        if self.net.happens(Shape::SnapshotReceiver, &mut self.tally) {
            self.crash_for_a_while(n, false);
        }
    }

    /// The last chunk is there: the file is made durable, then loaded into a fresh engine.
    fn begin_loading(&mut self, n: usize, g: usize) {
        let boot = self.nodes[n].boot;
        if let Some(incoming) = &mut self.nodes[n].replicas[g].snapshots.incoming {
            incoming.is_loading = true;
        }
        let mean = self.plan.disk.sync * 3;
        let span = mean / 2 + self.rng.exponential(mean);
        let event = Event::SnapshotLoaded {
            node: n as u8,
            group: g as u8,
            boot,
        };
        self.agenda.after(span, event);
    }

    pub(crate) fn on_snapshot_loaded(&mut self, n: usize, g: usize) {
        let replica = &mut self.nodes[n].replicas[g];
        let Some(incoming) = replica.snapshots.incoming.take() else {
            return;
        };
        let from = incoming.receiver.from();
        let stored = StoredSnapshot {
            header: incoming.receiver.header().clone(),
            chunks: incoming.chunks,
        };
        let position = stored.header.position;
        let takes = |host: &Host<C::Machine>| host.takes_snapshot(position);
        let installed = replica.host.as_ref().is_some_and(takes);
        if installed {
            self.install(n, g, stored);
        }
        self.trace.note(
            9,
            (n as u64) << 8 | g as u64,
            position.lsn.0 << 1 | u64::from(installed),
        );
        let done = SnapshotMessage::Done {
            position,
            installed: true,
        };
        self.send_transfer(n, g, from, done);
        if installed && self.nodes[n].replicas[g].host.is_some() {
            self.touched(n, g);
        }
    }

    fn install(&mut self, n: usize, g: usize, stored: StoredSnapshot) {
        let now = self.now(n);
        let tape = Arc::clone(&self.nodes[n].replicas[g].tape);
        let Some(engine) = self.fresh_engine(g, &tape) else {
            return;
        };
        let chunks = stored.chunks.iter().cloned().map(Ok);
        let loaded = match load_snapshot(stored.header.clone(), chunks, engine) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.findings.add("A3.snapshot-state", || {
                    format!("node {n}, keyspace {g}: a received snapshot does not load: {error}")
                });
                return;
            }
        };
        let at = Place { node: n, group: g };
        let lsn = stored.header.position.lsn.0;
        recovery::judge_state(
            at,
            lsn,
            &self.known[g].canon,
            loaded.engine.as_ref(),
            &mut self.findings,
        );
        self.stand_at(n, g, lsn);
        let replica = &mut self.nodes[n].replicas[g];
        replica.snapshots.durable = Some(Arc::new(stored));
        replica.snapshots.finished = None;
        replica.snapshots.building.clear();
        // Jobs for the engine of before are void with it.
        replica.jobs.clear();
        replica.job_under_way = None;
        let mut engine = Some(loaded.engine);
        if let Some(executor) = &mut replica.executor
            && let Some(engine) = engine.take()
        {
            executor.replace(engine);
        }
        if let Some(host) = &mut replica.host {
            host.install(now, &loaded.header, loaded.dedup, engine);
        }
        if self.is_issuing {
            self.reached.note(Situation::SnapshotInstalledUnderLoad);
        }
    }

    fn on_done(&mut self, n: usize, g: usize, from: NodeId, position: EntryId, installed: bool) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let offered = &mut replica.snapshots.offered;
        let before = offered.len();
        offered.retain(|known| known.to != from || known.stored.header.position != position);
        if offered.len() == before {
            return;
        }
        if let Some(host) = &mut replica.host {
            host.snapshot_sent(now, from, installed.then_some(position));
            self.touched(n, g);
        }
    }

    /// Plans a look at the transfers of a replica, while there are any.
    pub(crate) fn plan_transfer_tick(&mut self, n: usize, g: usize) {
        let boot = self.nodes[n].boot;
        let desk = &mut self.nodes[n].replicas[g].snapshots;
        if desk.is_ticking || (desk.incoming.is_none() && desk.offered.is_empty()) {
            return;
        }
        desk.is_ticking = true;
        let event = Event::TransferTick {
            node: n as u8,
            group: g as u8,
            boot,
        };
        self.agenda.after(TICK, event);
    }

    /// The receiver asks again after silence; the sender gives a silent receiver up.
    pub(crate) fn on_transfer_tick(&mut self, n: usize, g: usize) {
        let (now, time) = (self.now(n), self.time());
        let desk = &mut self.nodes[n].replicas[g].snapshots;
        desk.is_ticking = false;
        let incoming = desk.incoming.as_mut();
        let want = incoming.and_then(|i| Some((i.receiver.from(), i.receiver.tick(now.mono)?)));
        let silent = desk
            .offered
            .extract_if(.., |known| time - known.heard >= SILENCE);
        let silent: Vec<NodeId> = silent.map(|known| known.to).collect();
        if let Some((from, want)) = want {
            self.send_transfer(n, g, from, want);
        }
        for to in silent {
            if let Some(host) = &mut self.nodes[n].replicas[g].host {
                host.snapshot_sent(now, to, None);
                self.touched(n, g);
            }
        }
        self.plan_transfer_tick(n, g);
    }

    /// An empty engine with a tape.
    pub(crate) fn fresh_engine(
        &mut self,
        g: usize,
        tape: &crate::watch::SharedTape,
    ) -> Option<Box<dyn repertoire_core::StorageEngine>> {
        let descriptor = Arc::clone(&self.plan.groups[g].descriptor);
        let spec = EngineSpec {
            folder: std::path::PathBuf::new(),
            descriptor,
        };
        let factory = self.registry.get_engine(&spec.descriptor.engine.name);
        match factory.and_then(|factory| factory(&spec)) {
            Ok(engine) => Some(Box::new(WatchedEngine::new(engine, Arc::clone(tape)))),
            Err(error) => {
                self.findings
                    .add("A8.engine", || format!("keyspace {g}: {error}"));
                None
            }
        }
    }
}
