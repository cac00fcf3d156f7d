//! A cluster in virtual time: replicas, FIFO links, disks whose syncs are under control. Nothing happens
//! that a check did not ask for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use repertoire_core::{
    Acks, Admission, Descriptor, Encoded, FormatTag, Input, Lsn, Machine, Mono, NodeId, Now,
    PeerEvent, Proposal, ReadLevel, ReadVerdict, ShardId, SnapshotOrder, Ticket, Wall,
};

use super::engine::records;
use super::fates::Acked;
use super::replica::{Kind, Replica};

/// Steps after which a cluster that is still busy counts as one that never comes to rest.
const STEPS_MAX: usize = 100_000;

/// Messages kept for the checks of what is said.
const HEARD_MAX: usize = 2_000;

pub(super) struct Rig<M: Machine> {
    kind: Kind<M>,
    pub(super) now: Mono,
    pub(super) descriptor: Arc<Descriptor>,
    pub(super) replicas: BTreeMap<NodeId, Replica<M>>,
    pub(super) links: BTreeMap<(NodeId, NodeId), VecDeque<M::Message>>,
    pub(super) cut: BTreeSet<(NodeId, NodeId)>,
    /// Snapshots ordered, as (sender, receiver), and whether the receiver asked for it.
    snapshots: BTreeMap<(NodeId, NodeId), bool>,
    pub(super) acked: Vec<Acked>,
    pub(super) reads: Vec<(NodeId, ReadVerdict)>,
    proposed: u64,
    /// What was said, as bytes.
    pub(super) heard: Vec<Encoded>,
    /// Numbers of the timers that were set.
    pub(super) timer_keys: BTreeSet<u64>,
    /// What the machines wanted, batch by batch, when somebody compares.
    pub(super) told: Option<Vec<String>>,
}

impl<M: Machine> Rig<M> {
    /// Starts a replica on every node of the descriptor's shard 0.
    pub(super) fn new(kind: Kind<M>, descriptor: &Descriptor, is_told: bool) -> Self {
        let specs = descriptor.replicas(ShardId(0)).iter();
        let mut rig = Self {
            kind,
            now: Mono(0),
            descriptor: Arc::new(descriptor.clone()),
            replicas: specs
                .map(|spec| (spec.node, Replica::new(spec.node)))
                .collect(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            acked: Vec::new(),
            reads: Vec::new(),
            proposed: 0,
            heard: Vec::new(),
            timer_keys: BTreeSet::new(),
            told: is_told.then(Vec::new),
        };
        for node in rig.nodes() {
            rig.boot(node);
        }
        rig.announce_links();
        rig
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.replicas.keys().copied().collect()
    }

    pub(super) fn replica(&self, node: NodeId) -> &Replica<M> {
        let replica = self.replicas.get(&node);
        replica.unwrap_or_else(|| unreachable!("{node} is a node of the cluster"))
    }

    pub(super) fn replica_mut(&mut self, node: NodeId) -> &mut Replica<M> {
        let replica = self.replicas.get_mut(&node);
        replica.unwrap_or_else(|| unreachable!("{node} is a node of the cluster"))
    }

    fn at(&self) -> Now {
        let wall = Wall(self.now.0 / 1_000_000);
        Now {
            mono: self.now,
            wall,
        }
    }

    pub(super) fn boot(&mut self, node: NodeId) {
        let (now, kind, descriptor) = (self.at(), self.kind, Arc::clone(&self.descriptor));
        self.replica_mut(node).boot(kind, descriptor, now);
        self.flush(node);
    }

    /// Ends a replica's process and cuts its power. What it has sent may still arrive.
    pub(super) fn crash(&mut self, node: NodeId, survive: usize) {
        self.replica_mut(node).crash(survive);
        self.links.retain(|(_, to), _| *to != node);
        self.snapshots
            .retain(|(from, to), _| *from != node && *to != node);
        for other in self.nodes() {
            self.peer(other, node, PeerEvent::Down);
        }
    }

    /// Every replica hears that its links are up.
    pub(super) fn announce_links(&mut self) {
        for node in self.nodes() {
            for other in self.nodes() {
                self.peer(node, other, PeerEvent::Up);
            }
        }
    }

    pub(super) fn peer(&mut self, at: NodeId, peer: NodeId, event: PeerEvent) {
        if at != peer {
            self.step(at, Input::Peer { peer, event });
        }
    }

    /// Feeds one input, and flushes unless the replica collects a batch.
    pub(super) fn step(&mut self, node: NodeId, input: Input<'_, M::Message>) {
        let now = self.at();
        let replica = self.replica_mut(node);
        let Some(machine) = &mut replica.machine else {
            return;
        };
        machine.step(now, input, &mut replica.fx);
        if !replica.is_batching {
            self.flush(node);
        }
    }

    /// Somebody wants `to` to lead.
    pub(super) fn transfer(
        &mut self,
        node: NodeId,
        to: NodeId,
    ) -> Result<(), repertoire_core::Error> {
        let now = self.at();
        let replica = self.replica_mut(node);
        let Some(machine) = &mut replica.machine else {
            return Ok(());
        };
        let answer = machine.transfer(now, to, &mut replica.fx);
        self.flush(node);
        answer
    }

    /// Ends a batch, and performs the effects.
    pub(super) fn flush(&mut self, node: NodeId) {
        let now = self.at();
        let replica = self.replica_mut(node);
        let Some(machine) = &mut replica.machine else {
            return;
        };
        machine.flush(now, &mut replica.fx);
        replica.vitals();
        self.tell(node);
        self.perform(node);
    }

    /// Writes down what a replica wants.
    fn tell(&mut self, node: NodeId) {
        let Some(told) = &mut self.told else { return };
        let Some(replica) = self.replicas.get(&node) else {
            return;
        };
        let fx = &replica.fx;
        let said = fx.sends.iter().cloned();
        let said: Vec<_> = said
            .map(|(to, message)| (to, (self.kind.encode)(message)))
            .collect();
        told.push(format!(
            "{node} at {:?}: says {said:?}, logs {:?}, applies {:?} {:?}, decides {:?} {:?}, reads {:?}, \
             sets {:?}, orders {:?} {:?}, counts {:?}",
            self.now, fx.log, fx.apply, fx.frontier, fx.fates, fx.admission, fx.log_reads, fx.timers,
            fx.snapshots, fx.reads, fx.telemetry
        ));
    }

    /// In the order of [`Effects`](repertoire_core::Effects)' lanes.
    fn perform(&mut self, node: NodeId) {
        let replica = self.replica_mut(node);
        replica.write_log();
        let timers = replica
            .fx
            .timers
            .iter()
            .map(|timer| timer.key)
            .collect::<Vec<_>>();
        replica.order_timers();
        replica.admission = replica.fx.admission.take().unwrap_or(replica.admission);
        replica.fx.telemetry.clear();
        let (apply, frontier) = (
            std::mem::take(&mut replica.fx.apply),
            replica.fx.frontier.take(),
        );
        let has_applied = !apply.is_empty();
        replica.engine.apply(apply, frontier);
        let lsn = replica.engine.position.lsn;
        let sends = std::mem::take(&mut replica.fx.sends);
        let fates = std::mem::take(&mut replica.fx.fates);
        let decided: Vec<_> = fates
            .iter()
            .flat_map(|fate| replica.fates.take(fate))
            .collect();
        let reads = std::mem::take(&mut replica.fx.reads);
        let log_reads = std::mem::take(&mut replica.fx.log_reads);
        let orders = std::mem::take(&mut replica.fx.snapshots);
        self.acked.extend(decided);
        self.timer_keys.extend(timers);
        self.reads
            .extend(reads.into_iter().map(|verdict| (node, verdict)));
        for (to, message) in sends {
            self.send(node, to, message);
        }
        for order in orders {
            self.order(node, &order);
        }
        if has_applied {
            self.step(node, Input::Applied(lsn));
        }
        for read in log_reads {
            let slice = self.replica(node).disk.read(read.from, read.bytes_max);
            let ticket = read.ticket;
            self.step(node, Input::LogRead { ticket, slice });
        }
    }

    fn order(&mut self, node: NodeId, order: &SnapshotOrder) {
        match order {
            SnapshotOrder::Send { to, .. } => {
                self.snapshots.entry((node, *to)).or_insert(false);
            }
            SnapshotOrder::Fetch { from } => {
                self.snapshots.insert((*from, node), true);
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: M::Message) {
        assert_ne!(from, to, "a replica sends a message to itself: {message:?}");
        if self.heard.len() < HEARD_MAX {
            self.heard.push((self.kind.encode)(message.clone()));
        }
        let is_up = self
            .replicas
            .get(&to)
            .is_some_and(|peer| peer.machine.is_some());
        if is_up && !self.cut.contains(&(from, to)) {
            self.links.entry((from, to)).or_default().push_back(message);
        }
    }

    /// Proposes an entry of `count` records.
    pub(super) fn propose(&mut self, node: NodeId, acks: Acks, count: u32, len: usize) {
        self.proposed += 1;
        let (wall, number) = (self.at().wall, self.proposed);
        let replica = self.replica_mut(node);
        if replica.machine.is_none() {
            return;
        }
        let proposal = Proposal {
            id: replica.fates.ask(count, acks),
            count,
            acks,
            format: FormatTag(1),
            wall,
            body: records(number, count, len),
        };
        self.step(node, Input::Propose(&mut vec![proposal]));
    }

    pub(super) fn read(&mut self, node: NodeId, ticket: u64, level: &ReadLevel) {
        let ticket = Ticket(ticket);
        self.step(node, Input::Read { ticket, level });
    }

    /// Hands the oldest message of a link over.
    pub(super) fn deliver(&mut self, from: NodeId, to: NodeId) -> bool {
        let queue = self.links.get_mut(&(from, to));
        let Some(message) = queue.and_then(VecDeque::pop_front) else {
            return false;
        };
        self.step(to, Input::Message { from, message });
        true
    }

    /// Syncs the first `count` operations of a replica's log.
    pub(super) fn sync(&mut self, node: NodeId, count: usize) -> bool {
        let replica = self.replica_mut(node);
        if replica.machine.is_none() {
            return false;
        }
        let synced = replica.disk.sync(count);
        if let Some(seq) = synced {
            self.step(node, Input::Durable(seq));
        }
        synced.is_some()
    }

    fn drive_once(&mut self) -> bool {
        if self
            .nodes()
            .into_iter()
            .any(|node| self.sync(node, usize::MAX))
        {
            return true;
        }
        let mut links = self.links.iter().filter(|(_, queue)| !queue.is_empty());
        let link = links.next().map(|(link, _)| *link);
        link.is_some_and(|(from, to)| self.deliver(from, to))
    }

    /// Syncs and delivers until nothing moves any more.
    pub(super) fn drive(&mut self) {
        let is_at_rest = (0..STEPS_MAX).any(|_| !self.drive_once());
        assert!(
            is_at_rest,
            "the cluster never comes to rest, though no time passes"
        );
    }

    /// Lets time pass; timers fire in order. With `settle`, what they set off runs to its end.
    pub(super) fn tick(&mut self, milliseconds: u64, settle: bool) {
        let end = Mono(self.now.0 + milliseconds * 1_000_000);
        while let Some((at, node, key)) = self.next_timer().filter(|(at, ..)| *at <= end) {
            self.now = self.now.max(at);
            self.replica_mut(node).timers.remove(&key);
            self.step(node, Input::Timer(key));
            if settle {
                self.drive();
            }
        }
        self.now = end;
    }

    fn next_timer(&self) -> Option<(Mono, NodeId, u64)> {
        let alive = self
            .replicas
            .values()
            .filter(|replica| replica.machine.is_some());
        let timers = alive.flat_map(|r| r.timers.iter().map(|(key, at)| (*at, r.id, *key)));
        timers.min()
    }

    /// Makes a durable snapshot of a replica's engine.
    pub(super) fn checkpoint(&mut self, node: NodeId) {
        let replica = self.replica_mut(node);
        let engine = replica.engine.clone();
        if replica.machine.is_some() && engine.position.lsn > Lsn::ZERO {
            replica.disk.store_snapshot(&engine);
            self.step(node, Input::Checkpointed(engine.position));
        }
    }

    /// Carries ordered snapshots over, or lets them fail.
    pub(super) fn carry_snapshots(&mut self, works: bool) {
        for ((from, to), is_asked) in std::mem::take(&mut self.snapshots) {
            let position = works.then(|| self.carry(from, to, is_asked)).flatten();
            self.step(from, Input::SnapshotSent { to, position });
        }
    }

    fn carry(
        &mut self,
        from: NodeId,
        to: NodeId,
        is_asked: bool,
    ) -> Option<repertoire_core::EntryId> {
        let is_up = |node| self.replica(node).machine.is_some();
        if !is_up(from) || !is_up(to) || self.cut.contains(&(from, to)) {
            return None;
        }
        let engine = self.replica(from).engine.clone();
        let receiver = self.replica_mut(to);
        if !is_asked && receiver.engine.position.lsn >= engine.position.lsn {
            // Ordered when the receiver was behind, which it is no longer.
            return Some(receiver.engine.position);
        }
        let (position, frontier) = (engine.position, engine.frontier.clone());
        receiver.disk.store_snapshot(&engine);
        receiver.engine = engine;
        self.step(to, Input::SnapshotInstalled { position, frontier });
        Some(position)
    }

    /// The replica that takes writes, if there is one.
    pub(super) fn writable(&self) -> Option<NodeId> {
        let is_open = |r: &&Replica<M>| r.machine.is_some() && r.admission == Admission::Open;
        let open = self.replicas.values().filter(is_open);
        open.max_by_key(|r| r.vitals().map(|vitals| vitals.epoch))
            .map(|r| r.id)
    }
}
