//! Nodes start and stop. A start is a function of what the disk holds.

use std::sync::{Arc, PoisonError};

use repertoire_core::{
    DedupTable, Entry, EntryId, Error, ErrorKind, Executor, Host, HostBoot, InstanceGen, LogSlice,
    LogStore, Lsn, PeerEvent, RecoveredGroup, StorageEngine, StreamId, load_snapshot, tail_start,
};
use repertoire_segment_log::{MemoryDisk, Options, PowerLoss, SegmentLog};
use repertoire_storage_faulty::FaultyDisk;

use super::node::StoredSnapshot;
use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};
use crate::fault::kind::Fault;
use crate::invariants::log_matching::Place;
use crate::invariants::monotone::Progress;
use crate::invariants::recovery;
use crate::plan::node_id;
use crate::sometimes::Situation;
use crate::watch::{Extent, Tape};

const STREAM: StreamId = StreamId(0);

/// Bytes of one read when the tail is read back.
const TAIL_READ: usize = 64 * 1024;

/// The state that a replica starts from.
struct Start {
    engine: Box<dyn StorageEngine>,
    dedup: DedupTable,
    position: EntryId,
}

impl<C: Cast> World<'_, C> {
    /// Starts a node, if it is down and may come back.
    pub(crate) fn start(&mut self, n: usize) {
        let time = self.time();
        if self.nodes[n].is_up || self.nodes[n].is_gone {
            return;
        }
        let Some(disk) = self.nodes[n].disk.take() else {
            return;
        };
        let disk_plan = self.plan.disk;
        let identity = self.nodes[n].incarnation.0;
        let options = Options {
            retention_bytes: disk_plan.retention_bytes,
            ..Options::small(identity, disk_plan.segment_bytes)
        };
        match SegmentLog::open_or_return(disk, options) {
            Ok(log) => self.nodes[n].log.store = Some(log),
            Err(failure) => {
                self.nodes[n].disk = Some(failure.disk);
                if *failure.error.kind() == ErrorKind::StorageFull {
                    self.agenda
                        .after(20 * MILLI, Event::Start { node: n as u8 });
                } else {
                    let error = failure.error;
                    self.findings
                        .add("A3.recovery", || format!("node {n}: no log: {error}"));
                }
                return;
            }
        }
        let node = &mut self.nodes[n];
        node.boot += 1;
        node.is_up = true;
        node.is_rotting = false;
        node.booted_at = time;
        let is_back = node.boot > 1;
        self.trace.note(10, n as u64, u64::from(node.boot));
        if is_back {
            self.replay_recorded(n);
        }
        for g in 0..self.plan.groups.len() {
            if self.nodes[n].replicas[g].is_member {
                self.start_replica(n, g);
            }
        }
        self.nodes[n].is_blank = false;
        for other in 0..self.nodes.len() {
            let is_linked = !self.net.is_cut_between(n, other);
            if other != n && self.nodes[other].is_up && is_linked {
                let span = self.net.client_latency();
                self.announce_link(n, other, PeerEvent::Up, span);
                self.connect(n, other);
            }
        }
    }

    pub(super) fn start_replica(&mut self, n: usize, g: usize) {
        let id = self.plan.groups[g].id;
        let Some(log) = &self.nodes[n].log.store else {
            return;
        };
        let found = log.recovered().get(&id).cloned();
        // After damage that may have been anyone's, a group without a record is damaged too.
        let is_lost = found.is_none() && log.damage().iter().any(|it| it.group.is_none());
        let mut recovered = found.unwrap_or_default();
        recovered.damaged |= is_lost;
        self.judge_recovery(n, g, &recovered);
        let Some(start) = self.load_state(n, g) else {
            return;
        };
        let from = tail_start(&recovered, start.position);
        let tail = match self.read_tail(n, g, from, &recovered) {
            Ok(tail) => tail,
            Err(error) => {
                self.findings
                    .add("A3.recovery", || format!("node {n}, keyspace {g}: {error}"));
                return;
            }
        };
        if start.position.lsn > Lsn::ZERO && !tail.is_empty() {
            self.reached.note(Situation::RecoveredFromSnapshot);
        }
        let discards = self.recover_discards(n, g, &recovered);
        self.boot_host(n, g, &recovered, start, (tail, discards));
    }

    fn boot_host(
        &mut self,
        n: usize,
        g: usize,
        log: &RecoveredGroup,
        start: Start,
        (tail, discards): (Vec<Entry>, Vec<Entry>),
    ) {
        let now = self.now(n);
        let group = &self.plan.groups[g];
        let applied = start.engine.applied().clone();
        let boot = HostBoot {
            group: group.id,
            descriptor: Arc::clone(&self.known[g].operated.mirror),
            me: node_id(n),
            incarnation: self.nodes[n].incarnation,
            instance: InstanceGen(u64::from(self.nodes[n].boot)),
            now,
            seed: self.rng.next_u64(),
            log,
            tail,
            discards,
            applied,
            position: start.position,
            dedup: start.dedup,
            registry: Arc::clone(&self.registry),
        };
        let executor = Executor::new(start.engine, &self.registry);
        let (inline, elsewhere) = match self.plan.engine {
            None => (Some(executor), None),
            Some(_) => (None, Some(executor)),
        };
        let replica = &mut self.nodes[n].replicas[g];
        replica.executor = elsewhere;
        replica.applied = start.position.lsn.0;
        match Host::boot(boot, inline, |boot, fx| self.cast.boot(boot, fx)) {
            Ok(mut host) => {
                host.set_snapshot_chunk_bytes(self.plan.chunk_bytes);
                if let Some(records) = self.plan.share {
                    host.set_share(records);
                }
                replica.host = Some(host);
                self.flush(n, g);
            }
            Err(error) => {
                self.findings
                    .add("A3.boot", || format!("node {n}, keyspace {g}: {error}"));
            }
        }
    }

    fn judge_recovery(&mut self, n: usize, g: usize, recovered: &RecoveredGroup) {
        let at = Place { node: n, group: g };
        let node = &self.nodes[n];
        let (lost_power, has_rotted, is_blank) = (node.lost_power, node.has_rotted, node.is_blank);
        let durability = self.plan.durability;
        let replica = &mut self.nodes[n].replicas[g];
        let stream = recovered.streams.get(&STREAM).cloned().unwrap_or_default();
        let may_lose = lost_power && recovery::may_lose_written(durability);
        if stream.last.lsn.0 < replica.log.written.last() {
            self.reached.note(Situation::UnsyncedTailLost);
        }
        if has_rotted {
            let log = &mut replica.log;
            recovery::judge_rotten(at, recovered, log, durability, is_blank, &mut self.findings);
        } else {
            recovery::judge_log(at, &stream, &mut replica.log, may_lose, &mut self.findings);
            self.findings
                .require(!recovered.damaged, "A3.recovery", || {
                    format!("{at:?}: the log counts as damaged, and nobody damaged it")
                });
        }
        replica.ordered.clone_from(&replica.log.written);
        replica.recovered = stream.last.lsn.0;
    }

    /// The engine at the newest durable snapshot, or empty.
    fn load_state(&mut self, n: usize, g: usize) -> Option<Start> {
        let tape = Arc::new(std::sync::Mutex::new(Tape::default()));
        let engine = self.fresh_engine(g, &tape)?;
        let replica = &mut self.nodes[n].replicas[g];
        replica.tape = tape;
        let stored: Option<Arc<StoredSnapshot>> = replica.snapshots.durable.clone();
        let start = match stored {
            None => Start {
                engine,
                dedup: DedupTable::default(),
                position: EntryId::ZERO,
            },
            Some(stored) => {
                let chunks = stored.chunks.iter().cloned().map(Ok::<_, Error>);
                let loaded = load_snapshot(stored.header.clone(), chunks, engine);
                let loaded = match loaded {
                    Ok(loaded) => loaded,
                    Err(error) => {
                        self.findings.add("A3.snapshot-state", || {
                            format!("node {n}, keyspace {g}: its snapshot does not load: {error}")
                        });
                        return None;
                    }
                };
                let at = Place { node: n, group: g };
                let lsn = stored.header.position.lsn.0;
                let canon = &self.known[g].canon;
                let engine = loaded.engine.as_ref();
                recovery::judge_state(at, lsn, canon, engine, &mut self.findings);
                Start {
                    engine: loaded.engine,
                    dedup: loaded.dedup,
                    position: stored.header.position,
                }
            }
        };
        self.stand_at(n, g, start.position.lsn.0);
        Some(start)
    }

    /// The replica's state covers everything up to `lsn`: it goes on from there in the canon.
    pub(crate) fn stand_at(&mut self, n: usize, g: usize, lsn: u64) {
        let replica = &mut self.nodes[n].replicas[g];
        match self.known[g].canon.place_after(lsn) {
            Some(place) => replica.place = place,
            None => self.findings.add("A4.snapshot", || {
                format!("node {n}, keyspace {g}: no entry ends at its snapshot's position {lsn}")
            }),
        }
        let mut tape = replica.tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.records.clear();
        tape.writes.clear();
        tape.known = self.known[g].canon.end();
    }

    fn read_tail(
        &mut self,
        n: usize,
        g: usize,
        applied: Lsn,
        recovered: &RecoveredGroup,
    ) -> Result<Vec<Entry>, Error> {
        let stream = recovered.streams.get(&STREAM).cloned().unwrap_or_default();
        let id = self.plan.groups[g].id;
        let mut tail = Vec::new();
        let Some(log) = self.nodes[n].log.store.as_mut() else {
            return Ok(tail);
        };
        let mut from = applied.next();
        while from <= stream.last.lsn {
            let found = match log.read(id, STREAM, from, TAIL_READ) {
                // The replica is told so, and knows from where on it needs help.
                Err(error) if recovered.damaged && *error.kind() == ErrorKind::Corrupted => {
                    self.reached.note(Situation::DamageFound);
                    break;
                }
                found => found?,
            };
            match found {
                LogSlice::Entries(entries) => {
                    let Some(last) = entries.last() else {
                        break;
                    };
                    from = last.last_lsn().next();
                    tail.extend(entries);
                }
                LogSlice::Trimmed { base } => {
                    return Err(Error::new(ErrorKind::Corrupted, "read the log's tail")
                        .with("wanted", from)
                        .with("trimmed up to", base));
                }
            }
        }
        Ok(tail)
    }

    /// Stops a node at once. What it had written survives, unless the power is cut as well.
    pub(crate) fn crash(&mut self, n: usize, cuts_power: bool) {
        if !self.nodes[n].is_up {
            return;
        }
        let node = &mut self.nodes[n];
        self.trace.note(11, n as u64, u64::from(cuts_power));
        node.is_up = false;
        node.paused_until = 0;
        node.flush_planned = false;
        let store = node.log.store.take();
        node.log = super::node::LogDesk::default();
        let blank = || FaultyDisk::new(MemoryDisk::new());
        let mut disk = store.map_or_else(blank, SegmentLog::into_disk);
        // Faults that were ordered and did not happen yet end with the process.
        disk.heal();
        disk.power_on();
        node.lost_power = cuts_power;
        if cuts_power {
            let drawn = self.rng.below(4);
            // A process that stops with its disk loses nothing that it wrote while there is power.
            let has_power = !self.plan.faults.has(Fault::PowerLoss);
            let mode = if has_power { 1 } else { drawn };
            let rng = &mut self.rng;
            // Nothing, everything, whole pages, or single sectors survive.
            disk.lose_power(&mut |_| match mode {
                0 => 0,
                1 => 0xff,
                2 => (rng.next_u64() & 1) as u8 * 0xff,
                _ => (rng.next_u64() & 0xff) as u8,
            });
        }
        node.disk = Some(disk);
        for replica in &mut node.replicas {
            replica.host = None;
            replica.is_dirty = false;
            replica.timers.clear();
            replica.deadline = Nanos::MAX;
            replica.executor = None;
            replica.jobs.clear();
            replica.job_under_way = None;
            replica.progress = Progress::default();
            replica.ordered = Extent::default();
            let desk = &mut replica.snapshots;
            desk.building.clear();
            desk.finished = None;
            desk.wanted_by.clear();
            desk.offered.clear();
            desk.is_stepping = false;
            desk.is_ticking = false;
            // Chunks received so far are found again on disk, all or up to some of them.
            if let Some(incoming) = desk.incoming.take() {
                let kept = self.rng.index(incoming.chunks.len() + 1);
                let mut chunks = incoming.chunks;
                chunks.truncate(kept);
                let header = incoming.receiver.header().clone();
                desk.partial = Some(StoredSnapshot { header, chunks });
            }
        }
        for other in 0..self.nodes.len() {
            if other != n && self.nodes[other].is_up {
                let span = self.net.client_latency() * 5;
                if self.rng.one_in(2) {
                    self.tell_link(other, n, PeerEvent::Down, span);
                } else {
                    // Without a goodbye, a link is missed long before it counts as down.
                    self.tell_link(other, n, PeerEvent::Silent, span);
                    let span = self.rng.between(100, 2_000) * MILLI;
                    self.tell_link(other, n, PeerEvent::Down, span);
                }
            }
        }
    }

    /// Stops a node and plans its return.
    pub(crate) fn crash_for_a_while(&mut self, n: usize, cuts_power: bool) {
        self.crash(n, cuts_power);
        let span = self.rng.between(1, 600) * MILLI;
        self.agenda.after(span, Event::Start { node: n as u8 });
    }
}
