//! A cluster in virtual time: replicas, FIFO links that can be cut, delayed and shuffled, disks
//! whose syncs are under control. Deterministic; nothing happens that a test did not ask for.

#![allow(dead_code, reason = "each test binary uses a part of the harness")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a harness fails by panicking, and says why"
)]

mod body;
pub(crate) mod chaos;
pub(crate) mod disk;
pub(crate) mod show;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use repertoire_core::{
    Acks, Boot, Descriptor, Effects, EntryId, Fate, FormatTag, GroupId, GroupMember, Incarnation,
    Input, InstanceGen, KeyspaceId, LogSeq, Lsn, MemberChange, MemberRole, Mono, NodeId, Now,
    PeerEvent, Promotion, Proposal, ProposalId, Protocol, ReadLevel, ReadVerdict, ReplicaRole,
    ReplicaSpec, Role, SnapshotOrder, Status, Ticket, Wall, WireMessage,
};
use repertoire_single_leader::{Message, SingleLeader};

use disk::{Disk, Engine};

/// Steps after which a cluster that is still busy counts as one that never comes to rest.
const STEPS_MAX: usize = 200_000;

pub(crate) struct Node {
    pub(crate) machine: Option<SingleLeader>,
    pub(crate) disk: Disk,
    pub(crate) engine: Engine,
    fx: Effects<Message>,
    /// Log operations handed to the disk in this boot.
    logged: LogSeq,
    timers: BTreeMap<u64, Mono>,
    boots: u64,
    /// Disks that it has had before this one.
    disks: u64,
    proposals: u64,
    placed: BTreeMap<u64, EntryId>,
    asked: BTreeMap<u64, Acks>,
    /// Whether syncs wait for the test.
    pub(crate) is_held: bool,
    /// Whether input is collected instead of being flushed at once.
    pub(crate) is_batching: bool,
}

impl Node {
    fn new() -> Self {
        Self {
            machine: None,
            disk: Disk::default(),
            engine: Engine::default(),
            fx: Effects::default(),
            logged: LogSeq(0),
            timers: BTreeMap::new(),
            boots: 0,
            disks: 0,
            proposals: 0,
            placed: BTreeMap::new(),
            asked: BTreeMap::new(),
            is_held: false,
            is_batching: false,
        }
    }
}

/// A write that was acknowledged: what must not be lost, and how many copies were promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    pub(crate) position: EntryId,
    pub(crate) copies: u8,
    pub(crate) acks: Acks,
}

pub(crate) struct Cluster {
    pub(crate) now: Mono,
    pub(crate) nodes: BTreeMap<u64, Node>,
    pub(crate) links: BTreeMap<(u64, u64), VecDeque<Message>>,
    pub(crate) cut: BTreeSet<(u64, u64)>,
    pub(crate) descriptor: Arc<Descriptor>,
    /// Snapshots ordered, as (sender, receiver).
    pub(crate) snapshots: BTreeSet<(u64, u64)>,
    /// Those of them that the receiver asked for.
    pub(crate) fetches: BTreeSet<(u64, u64)>,
    pub(crate) trace: Vec<String>,
    pub(crate) acked: Vec<Acked>,
    pub(crate) proposed: u64,
    pub(crate) reads: Vec<(u64, ReadVerdict)>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Cluster {
    pub(crate) fn new(mut descriptor: Descriptor) -> Self {
        descriptor.id = KeyspaceId(1);
        SingleLeader::validate(&descriptor).expect("a valid descriptor");
        let ids: Vec<u64> = descriptor
            .replicas(GroupId::new(1, 0).shard)
            .iter()
            .map(|spec| spec.node.0)
            .collect();
        let mut cluster = Self {
            now: Mono(0),
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            descriptor: Arc::new(descriptor),
            snapshots: BTreeSet::new(),
            fetches: BTreeSet::new(),
            trace: Vec::new(),
            acked: Vec::new(),
            proposed: 0,
            reads: Vec::new(),
            counts: BTreeMap::new(),
        };
        for id in &ids {
            cluster.nodes.insert(*id, Node::new());
        }
        for id in ids {
            cluster.boot(id);
        }
        cluster
    }

    /// A node without a replica joins the cluster; a member that the group adds.
    pub(crate) fn join(&mut self, id: u64) {
        self.nodes.entry(id).or_insert_with(Node::new);
        self.boot(id);
    }

    /// Somebody wants other members.
    pub(crate) fn change_members(&mut self, id: u64, change: &MemberChange) {
        let now = self.at();
        let node = self.node_mut(id);
        let Some(machine) = &mut node.machine else {
            return;
        };
        if let Err(error) = Protocol::change_members(machine, now, change, &mut node.fx) {
            self.note(id, &format!("refuses: {error}"));
        }
        self.flush(id);
    }

    /// The next boots find the members in their descriptor that this node goes by.
    pub(crate) fn mirror(&mut self, id: u64) {
        let machine = self.node(id).machine.as_ref().expect("a node that is up");
        let view = Protocol::members(machine).expect("members");
        let spec = |member: &GroupMember| ReplicaSpec {
            incarnation: member.incarnation,
            role: match member.role {
                MemberRole::Voter => ReplicaRole::Replica,
                MemberRole::Joining | MemberRole::Learner => ReplicaRole::Learner,
            },
            ..ReplicaSpec::on(member.node)
        };
        let replicas = view.membership.members().iter().map(spec).collect();
        let mut descriptor = self.descriptor.as_ref().clone();
        let shard = GroupId::new(1, 0).shard;
        descriptor.placement.shards.insert(shard, replicas);
        self.descriptor = Arc::new(descriptor);
    }

    /// The disk that a node has now.
    pub(crate) fn disk_of(&self, id: u64) -> Incarnation {
        let disks = self.nodes.get(&id).map_or(0, |node| node.disks);
        Incarnation(u128::from(disks * 100 + id))
    }

    pub(crate) fn node(&self, id: u64) -> &Node {
        self.nodes.get(&id).expect("a node of the cluster")
    }

    pub(crate) fn node_mut(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of the cluster")
    }

    pub(crate) fn status(&self, id: u64) -> Option<Status> {
        self.node(id).machine.as_ref().map(Protocol::inspect)
    }

    fn at(&self) -> Now {
        let wall = Wall(self.now.0 / 1_000_000);
        Now {
            mono: self.now,
            wall,
        }
    }

    /// Starts a replica from its disk.
    pub(crate) fn boot(&mut self, id: u64) {
        let (now, descriptor) = (self.at(), self.descriptor.clone());
        let node = self.node_mut(id);
        node.boots += 1;
        node.engine = node.disk.snapshot();
        node.fx = Effects::default();
        node.logged = LogSeq(0);
        node.timers.clear();
        node.placed.clear();
        let log = node.disk.recovered();
        let applied = node.engine.applied();
        let boot = Boot {
            group: GroupId::new(1, 0),
            descriptor,
            me: NodeId(id),
            incarnation: Incarnation(u128::from(node.disks * 100 + id)),
            instance: InstanceGen(node.boots),
            now,
            seed: id * 1000 + node.boots,
            log: &log,
            tail: node.disk.tail(),
            discards: node.disk.discards(),
            applied: &applied,
        };
        node.machine = Some(SingleLeader::boot(boot, &mut node.fx).expect("a replica that boots"));
        self.flush(id);
    }

    /// Ends a replica's process without warning, and loses what its disk was not asked to keep.
    pub(crate) fn crash(&mut self, id: u64, survives: usize) {
        let node = self.node_mut(id);
        node.machine = None;
        node.disk.lose_power(survives);
        // What it has sent may still arrive; what was sent to it is gone.
        self.links.retain(|(_, to), _| *to != id);
        self.fetches.retain(|(from, to)| *from != id && *to != id);
        self.snapshots.retain(|(from, to)| *from != id && *to != id);
    }

    /// A replica that is down gets an empty disk.
    pub(crate) fn wipe(&mut self, id: u64) {
        let node = self.node_mut(id);
        assert!(node.machine.is_none(), "crash it first");
        node.disk = Disk::default();
        node.engine = Engine::default();
        node.disks += 1;
    }

    /// Feeds one input, and flushes unless the node collects a batch.
    pub(crate) fn step(&mut self, id: u64, input: Input<'_, Message>) {
        let now = self.at();
        let node = self.node_mut(id);
        let Some(machine) = &mut node.machine else {
            return;
        };
        machine.step(now, input, &mut node.fx);
        if !node.is_batching {
            self.flush(id);
        }
    }

    /// Ends a batch, and performs the effects.
    pub(crate) fn flush(&mut self, id: u64) {
        let now = self.at();
        let node = self.node_mut(id);
        let Some(machine) = &mut node.machine else {
            return;
        };
        machine.flush(now, &mut node.fx);
        let status = machine.inspect();
        assert!(
            status.snapshot_lsn <= status.applied_lsn
                && status.applied_lsn <= status.commit_lsn
                && status.commit_lsn <= status.last.lsn,
            "snapshot ≤ applied ≤ commit ≤ last: {status:?}"
        );
        self.perform(id);
    }

    fn perform(&mut self, id: u64) {
        let node = self.node_mut(id);
        let logs = std::mem::take(&mut node.fx.log);
        let first = node.logged.next();
        node.logged = node.fx.last_log_seq();
        let shown: Vec<String> = logs.iter().map(show::log_op).collect();
        node.disk.write(first, logs);
        let apply = std::mem::take(&mut node.fx.apply);
        let applied: Vec<String> = apply.iter().map(show::entry).collect();
        let frontier = node.fx.frontier.take();
        node.engine.apply(apply, frontier);
        let fx = std::mem::take(&mut node.fx.sends);
        let fates = std::mem::take(&mut node.fx.fates);
        let reads = std::mem::take(&mut node.fx.reads);
        let timers = std::mem::take(&mut node.fx.timers);
        let log_reads = std::mem::take(&mut node.fx.log_reads);
        let snapshots = std::mem::take(&mut node.fx.snapshots);
        let telemetry = std::mem::take(&mut node.fx.telemetry);
        for timer in timers {
            match timer.at {
                Some(at) => drop(node.timers.insert(timer.key, at)),
                None => drop(node.timers.remove(&timer.key)),
            }
        }
        self.note_all(id, "log", shown);
        if !applied.is_empty() {
            self.note(id, &format!("apply {}", applied.join(" ")));
            let lsn = self.node(id).engine.position.lsn;
            let at = self.at();
            let node = self.node_mut(id);
            if let Some(machine) = &mut node.machine {
                machine.step(at, Input::Applied(lsn), &mut node.fx);
            }
        }
        for (to, message) in fx {
            self.send(id, to.0, message);
        }
        for fate in fates {
            self.fate(id, &fate);
        }
        for verdict in reads {
            self.note(id, &show::verdict(&verdict));
            self.reads.push((id, verdict));
        }
        for order in snapshots {
            self.note(id, &show::snapshot(&order));
            match order {
                SnapshotOrder::Send { to, .. } => self.snapshots.insert((id, to.0)),
                SnapshotOrder::Fetch { from } => {
                    self.fetches.insert((from.0, id));
                    self.snapshots.insert((from.0, id))
                }
            };
        }
        for count in telemetry {
            *self.counts.entry(count.name).or_default() += 1;
        }
        for read in log_reads {
            let slice = self.node(id).disk.read(read.from, read.bytes_max);
            let ticket = read.ticket;
            self.note(
                id,
                &format!(
                    "log read from {} finds {}",
                    read.from.0,
                    show::slice(&slice)
                ),
            );
            self.step(id, Input::LogRead { ticket, slice });
        }
    }

    fn send(&mut self, from: u64, to: u64, message: Message) {
        // Every message crosses the wire as bytes, and comes back equal.
        let decoded = Message::decode(message.clone().encode()).expect("what we send decodes");
        assert_eq!(decoded, message, "messages survive their encoding");
        let is_there = self
            .nodes
            .get(&to)
            .is_some_and(|node| node.machine.is_some());
        let is_cut = self.cut.contains(&(from, to)) || !is_there;
        let lost = if is_cut { " (lost)" } else { "" };
        self.note(from, &format!("→ n{to} {}{lost}", show::message(&message)));
        if !is_cut {
            self.links.entry((from, to)).or_default().push_back(message);
        }
    }

    fn fate(&mut self, id: u64, fate: &Fate) {
        self.note(id, &show::fate(fate));
        match fate {
            Fate::Placed { proposal, first } => {
                self.node_mut(id).placed.insert(proposal.0, *first);
            }
            Fate::Acked { through, copies } => {
                let node = self.node_mut(id);
                let later = node.placed.split_off(&(through.0 + 1));
                let done = std::mem::replace(&mut node.placed, later);
                let asked = node.asked.clone();
                self.acked
                    .extend(done.into_iter().map(|(proposal, position)| Acked {
                        position,
                        copies: *copies,
                        acks: asked[&proposal],
                    }));
            }
            Fate::Refused { .. } | Fate::Unknown { .. } => {}
        }
    }

    pub(crate) fn note(&mut self, id: u64, what: &str) {
        self.trace.push(format!("n{id} {what}"));
    }

    fn note_all(&mut self, id: u64, verb: &str, what: Vec<String>) {
        for what in what {
            self.note(id, &format!("{verb} {what}"));
        }
    }

    /// Proposes one entry with this text. The same text is the same request, sent again.
    pub(crate) fn propose(&mut self, id: u64, text: &str, count: u32, acks: Acks) {
        let wall = self.at().wall;
        self.proposed += 1;
        let node = self.node_mut(id);
        node.proposals += 1;
        node.asked.insert(node.proposals, acks);
        let proposal = Proposal {
            id: ProposalId(node.proposals),
            count,
            acks,
            format: FormatTag(1),
            wall,
            body: body::records(text, count),
        };
        self.step(id, Input::Propose(&mut vec![proposal]));
    }

    pub(crate) fn read(&mut self, id: u64, ticket: u64, level: &ReadLevel) {
        let ticket = Ticket(ticket);
        self.step(id, Input::Read { ticket, level });
    }

    /// Somebody wants another node to lead.
    pub(crate) fn hand_over(&mut self, id: u64, to: u64) {
        let now = self.at();
        let node = self.node_mut(id);
        let Some(machine) = &mut node.machine else {
            return;
        };
        if let Err(error) = Protocol::transfer(machine, now, NodeId(to), &mut node.fx) {
            self.note(id, &format!("refuses: {error}"));
        }
        self.flush(id);
    }

    /// A controller wants this node to lead.
    pub(crate) fn promote(&mut self, id: u64, promotion: Promotion) {
        let now = self.at();
        let node = self.node_mut(id);
        let Some(machine) = &mut node.machine else {
            return;
        };
        if let Err(error) = Protocol::promote(machine, now, promotion, &mut node.fx) {
            self.note(id, &format!("refuses: {error}"));
        }
        self.flush(id);
    }

    /// Hands the oldest message of a link over. Returns whether there was one.
    pub(crate) fn deliver_one(&mut self, from: u64, to: u64) -> bool {
        let Some(message) = self
            .links
            .get_mut(&(from, to))
            .and_then(VecDeque::pop_front)
        else {
            return false;
        };
        let from = NodeId(from);
        self.step(to, Input::Message { from, message });
        true
    }

    /// Syncs a node's disk.
    pub(crate) fn sync(&mut self, id: u64) -> bool {
        match self.node_mut(id).disk.sync() {
            Some(seq) => {
                self.step(id, Input::Durable(seq));
                true
            }
            None => false,
        }
    }

    /// Moves one thing that can move, the disks first. Returns whether there was one.
    pub(crate) fn drive_once(&mut self) -> bool {
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        for id in ids {
            let node = self.node(id);
            if node.machine.is_some() && !node.is_held && self.sync(id) {
                return true;
            }
        }
        let link = self.links.iter().find(|(_, queue)| !queue.is_empty());
        let Some((from, to)) = link.map(|(link, _)| *link) else {
            return false;
        };
        self.deliver_one(from, to)
    }

    /// Runs until nothing moves any more; fails when that takes for ever.
    pub(crate) fn drive_bounded(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.drive_once() {
                return;
            }
        }
        panic!("the cluster never comes to rest");
    }

    /// Lets time pass; timers fire in order, and everything that they set off runs to its end.
    pub(crate) fn tick(&mut self, milliseconds: u64, settle: bool) {
        let end = Mono(self.now.0 + milliseconds * 1_000_000);
        while let Some((at, id, key)) = self.next_timer().filter(|(at, _, _)| *at <= end) {
            self.now = self.now.max(at);
            self.node_mut(id).timers.remove(&key);
            self.step(id, Input::Timer(key));
            if settle {
                self.drive_bounded();
            }
        }
        self.now = end;
    }

    fn next_timer(&self) -> Option<(Mono, u64, u64)> {
        let alive = self.nodes.iter().filter(|(_, node)| node.machine.is_some());
        let timers = alive.flat_map(|(id, node)| node.timers.iter().map(|(k, at)| (*at, *id, *k)));
        timers.min()
    }

    pub(crate) fn peer(&mut self, at: u64, peer: u64, event: PeerEvent) {
        let peer = NodeId(peer);
        self.step(at, Input::Peer { peer, event });
    }

    /// Makes a durable snapshot of a node's engine.
    pub(crate) fn checkpoint(&mut self, id: u64) {
        let node = self.node_mut(id);
        let engine = node.engine.clone();
        if node.machine.is_some() && engine.position.lsn > Lsn::ZERO {
            node.disk.store_snapshot(&engine);
            self.step(id, Input::Checkpointed(engine.position));
        }
    }

    /// Carries ordered snapshots over, or lets them fail.
    pub(crate) fn transfer(&mut self, works: bool) {
        for (from, to) in std::mem::take(&mut self.snapshots) {
            let is_there = self.nodes.contains_key(&to) && self.nodes.contains_key(&from);
            let alive =
                is_there && self.node(from).machine.is_some() && self.node(to).machine.is_some();
            let is_cut = self.cut.contains(&(from, to));
            if !works || !alive || is_cut {
                self.snapshots_failed(from, to);
                continue;
            }
            let engine = self.node(from).engine.clone();
            let has = self.node(to).engine.position;
            if !self.fetches.remove(&(from, to)) && has.lsn >= engine.position.lsn {
                // Ordered when the receiver was behind, which it is no longer.
                let (to, position) = (NodeId(to), Some(has));
                self.step(from, Input::SnapshotSent { to, position });
                continue;
            }
            let (position, frontier) = (engine.position, engine.frontier.clone());
            let receiver = self.node_mut(to);
            receiver.disk.store_snapshot(&engine);
            receiver.engine = engine;
            self.note(to, &format!("installs a snapshot of n{from} at {position}"));
            self.step(to, Input::SnapshotInstalled { position, frontier });
            let position = Some(position);
            let to = NodeId(to);
            self.step(from, Input::SnapshotSent { to, position });
        }
    }

    fn snapshots_failed(&mut self, from: u64, to: u64) {
        let to = NodeId(to);
        self.step(from, Input::SnapshotSent { to, position: None });
    }

    pub(crate) fn leader(&self) -> Option<u64> {
        let mut leaders = self.nodes.keys().filter(|id| {
            self.status(**id)
                .is_some_and(|status| status.role == Role::Leader)
        });
        leaders.next().copied()
    }

    /// The trace since the last call.
    pub(crate) fn take_trace(&mut self) -> String {
        let mut lines = std::mem::take(&mut self.trace).join("\n");
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines
    }
}

/// A keyspace on nodes 1 to `nodes`.
pub(crate) fn descriptor(nodes: u64) -> Descriptor {
    let nodes: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "shop", "single-leader", &nodes);
    descriptor.options.acks = Acks::Async;
    descriptor
}
