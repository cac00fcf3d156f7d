//! Three replicas on a stage of virtual time: the code of a node, without a node.
//!
//! The replicas are real ([`Host`](repertoire_core::Host) with pipeline, protocol and engine, over a
//! real `SegmentLog`); the network, the disks and the clocks are a list of events. Nothing is drawn at
//! random: links and disks take the time that the story gives them. So a story is short, always the
//! same, and its trace can be drawn.

mod event;
mod happening;
mod perform;
mod replica;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{
    Acks, ClientId, Descriptor, Error, GroupId, KeyspaceId, LogStore as _, Mono, NodeId, Now,
    Operation, PeerEvent, Position, ReadLevel, ReadQuery, ReadRequest, Registry, ReplyHandle,
    RequestId, ShardId, Wall, WriteRequest,
};
use repertoire_segment_log::{MemoryDisk, PowerLoss as _, SegmentLog};

use event::{Event, Wake};
pub use happening::{Happening, Micros, Place};
use replica::Replica;

/// The only keyspace of a stage.
const KEYSPACE: KeyspaceId = KeyspaceId(1);
const GROUP: GroupId = GroupId {
    keyspace: KEYSPACE,
    shard: ShardId(0),
};
/// Virtual time that a stage runs before its story begins: leader and followers have met by then.
const PROLOGUE: Micros = 30_000;
/// How long a request may take.
const DEADLINE: Micros = 20_000;

/// Times of links and disks, in microseconds. Nodes count from 1.
#[derive(Clone, Debug)]
pub struct Times {
    /// One way between a client and a node.
    pub client: Micros,
    /// One way between two nodes.
    pub link: Micros,
    /// Between the leader and the last node, one way: the far follower.
    pub far_link: Micros,
    /// Write and `fdatasync` of a burst.
    pub disk: Micros,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            client: 300,
            link: 400,
            far_link: 400,
            disk: 500,
        }
    }
}

/// The stage.
#[allow(missing_debug_implementations, reason = "replicas have no debug form")]
pub struct Stage {
    registry: Arc<Registry>,
    descriptor: Descriptor,
    times: Times,
    /// The last node, at the far end.
    far: u64,
    nodes: BTreeMap<u64, Replica>,
    agenda: BTreeMap<(Micros, u64), Event>,
    next_event: u64,
    time: Micros,
    is_recording: bool,
    happenings: Vec<Happening>,
    cut: Vec<(u64, u64)>,
    requests: Vec<Asked>,
    writes: u64,
}

/// A request of a client.
#[derive(Clone, Debug)]
struct Asked {
    what: String,
    ended: Option<String>,
    position: Option<Position>,
}

impl Stage {
    /// Three replicas of a keyspace, the leader on node 1, everything on time.
    ///
    /// # Errors
    /// Those of booting a replica.
    pub fn new(times: Times) -> Result<Self, Error> {
        Self::with_keyspace(times, |_| {})
    }

    /// The same with other settings of the keyspace.
    ///
    /// # Errors
    /// Those of booting a replica.
    pub fn with_keyspace(
        times: Times,
        change: impl FnOnce(&mut Descriptor),
    ) -> Result<Self, Error> {
        Self::with_nodes(3, times, change)
    }

    /// The same with another number of replicas. The last one is the far follower.
    ///
    /// # Errors
    /// Those of booting a replica.
    pub fn with_nodes(
        count: u64,
        times: Times,
        change: impl FnOnce(&mut Descriptor),
    ) -> Result<Self, Error> {
        let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let mut descriptor = Descriptor::single_shard(KEYSPACE, "stage", "single-leader", &nodes);
        change(&mut descriptor);
        let mut stage = Self {
            registry: Arc::new(repertoire_sim::registry()),
            descriptor,
            times,
            far: count,
            nodes: BTreeMap::new(),
            agenda: BTreeMap::new(),
            next_event: 0,
            time: 0,
            is_recording: false,
            happenings: Vec::new(),
            cut: Vec::new(),
            requests: Vec::new(),
            writes: 0,
        };
        for node in 1..=count {
            stage.start_on(node, MemoryDisk::new())?;
        }
        stage.run_until(PROLOGUE)?;
        stage.is_recording = true;
        Ok(stage)
    }

    /// Since the story began.
    pub fn now(&self) -> Micros {
        self.time.saturating_sub(PROLOGUE)
    }

    /// What happened since the story began.
    pub fn happenings(&self) -> &[Happening] {
        &self.happenings
    }

    /// Runs what is due within the next `span`.
    ///
    /// # Errors
    /// Those of a replica's log or engine.
    pub fn run_for(&mut self, span: Micros) -> Result<(), Error> {
        self.run_until(self.time + span)
    }

    fn run_until(&mut self, until: Micros) -> Result<(), Error> {
        while let Some(((at, _), event)) = self.agenda.pop_first() {
            if at > until {
                self.agenda.insert((at, 0), event);
                break;
            }
            self.time = at;
            self.happen(event)?;
        }
        self.time = until;
        Ok(())
    }

    /// A client asks `node` to put a key. Returns the number of the request.
    pub fn put(&mut self, node: u64, key: &str, value: &str, acks: Option<Acks>) -> usize {
        self.writes += 1;
        self.write(node, (7, self.writes), key, value, acks)
    }

    /// A client sends a write under a request id of its own choice: client and number.
    pub fn write(
        &mut self,
        node: u64,
        (client, seq): (u128, u64),
        key: &str,
        value: &str,
        acks: Option<Acks>,
    ) -> usize {
        let body = Operation::Put {
            key: key.as_bytes(),
            value: value.as_bytes(),
            expires_at: None,
        };
        let shown = acks.map_or_else(String::new, |acks| format!(" ({acks})"));
        let what = format!("put {key}={value}{shown}");
        self.execute(node, (client, seq), &body, acks, what)
    }

    /// A client sends the next write of its own, with the keyspace's `acks`, shown in the trace as `what`.
    pub fn client_write(&mut self, node: u64, operation: &Operation<'_>, what: &str) -> usize {
        self.writes += 1;
        self.execute(node, (7, self.writes), operation, None, what.to_owned())
    }

    /// A client asks `node` for any operation, shown in the trace as `what`.
    pub fn execute(
        &mut self,
        node: u64,
        (client, seq): (u128, u64),
        operation: &Operation<'_>,
        acks: Option<Acks>,
        what: String,
    ) -> usize {
        let number = self.ask(what);
        let request = WriteRequest {
            id: RequestId {
                client: ClientId::new(Wall(0), client),
                seq,
                acked_upto: 0,
            },
            reply_to: handle(number),
            acks,
            deadline: mono(self.time + DEADLINE),
            body: operation.encode(),
        };
        self.leave(number, node);
        self.after(self.times.client, Event::Write { node, request });
        let boot = self.nodes.get(&node).map_or(0, |node| node.boot);
        let what = Wake::Deadlines;
        self.after(DEADLINE, Event::Wake { node, boot, what });
        number
    }

    /// A client asks `node` for a key. Returns the number of the request.
    pub fn get(&mut self, node: u64, key: &str, level: ReadLevel) -> usize {
        let shown = match &level {
            ReadLevel::Local => "",
            ReadLevel::Leader => " (leader)",
            ReadLevel::Session(_) => " (session)",
            ReadLevel::Bounded(_) => " (bounded)",
        };
        let number = self.ask(format!("get {key}{shown}"));
        let request = ReadRequest {
            reply_to: handle(number),
            level,
            deadline: mono(self.time + DEADLINE),
            query: ReadQuery::Get(Bytes::copy_from_slice(key.as_bytes())),
        };
        self.leave(number, node);
        self.after(self.times.client, Event::Read { node, request });
        number
    }

    /// What a client heard, if it heard anything.
    pub fn heard(&self, request: usize) -> Option<&str> {
        self.requests.get(request)?.ended.as_deref()
    }

    /// Where a write was placed, or a read was answered, as far as the client has heard.
    pub fn position(&self, request: usize) -> Option<&Position> {
        self.requests.get(request)?.position.as_ref()
    }

    /// The client never hears what is on its way to it as an answer to `request`.
    pub fn forget(&mut self, request: usize) {
        self.agenda
            .retain(|_, event| !matches!(event, Event::Reply { number, .. } if *number == request));
    }

    /// How a replica is, in one line.
    pub fn status(&self, node: u64) -> String {
        match self.nodes.get(&node).and_then(|node| node.host.as_ref()) {
            None => format!("n{node} is down"),
            Some(host) => {
                let status = host.inspect();
                let role = match status.role {
                    repertoire_core::Role::Leader => "leads",
                    repertoire_core::Role::Follower => "follows",
                    repertoire_core::Role::Peer => "serves",
                };
                format!(
                    "n{node} {role} in epoch {}, last {}, durable {}, applied {}",
                    status.epoch.0, status.last, status.durable_lsn.0, status.applied_lsn.0
                )
            }
        }
    }

    /// The node whose replica says that it leads; of several, the one in the newest epoch.
    pub fn leader(&self) -> Option<u64> {
        let leads = |(number, node): (&u64, &Replica)| {
            let status = node.host.as_ref()?.inspect();
            (status.role == repertoire_core::Role::Leader).then_some((status.epoch, *number))
        };
        let newest = self.nodes.iter().filter_map(leads).max();
        newest.map(|(_, number)| number)
    }

    /// Nothing gets from one node to another any more, in both directions. What is on its way arrives.
    pub fn cut(&mut self, a: u64, b: u64) {
        self.cut.extend([(a, b), (b, a)]);
    }

    /// Every link carries again.
    pub fn heal(&mut self) {
        for (a, b) in std::mem::take(&mut self.cut) {
            self.tell_link(a, b, PeerEvent::Up);
        }
    }

    /// The process of a node dies; what it wrote to the operating system survives.
    pub fn kill(&mut self, node: u64) {
        self.say(node, "is killed".to_owned());
        self.take_down(node, false);
    }

    /// A node loses its power: what was not synced is gone.
    pub fn cut_power(&mut self, node: u64) {
        self.say(node, "loses power".to_owned());
        self.take_down(node, true);
    }

    fn take_down(&mut self, number: u64, cuts_power: bool) {
        let Some(node) = self.nodes.get_mut(&number) else {
            return;
        };
        node.host = None;
        node.boot += 1;
        node.desk = replica::LogDesk::default();
        if let Some(mut disk) = node.log.take().map(SegmentLog::into_disk) {
            if cuts_power {
                disk.lose_power(&mut |_| 0);
            }
            node.disk = Some(disk);
        }
        let others: Vec<u64> = self.nodes.keys().copied().collect();
        for other in others {
            self.tell_link(other, number, PeerEvent::Down);
        }
    }

    /// A node that was taken down starts again from its disk.
    ///
    /// # Errors
    /// Those of recovering its log and of booting its replica.
    pub fn start(&mut self, node: u64) -> Result<(), Error> {
        let disk = self.nodes.get_mut(&node).and_then(|node| node.disk.take());
        self.say(node, "starts".to_owned());
        self.start_on(node, disk.unwrap_or_default())
    }

    /// A node is stopped and started again at once, to learn of another configuration.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn restart(&mut self, node: u64) -> Result<(), Error> {
        self.take_down(node, false);
        let disk = self.nodes.get_mut(&node).and_then(|node| node.disk.take());
        self.say(node, "restarts".to_owned());
        self.start_on(node, disk.unwrap_or_default())
    }

    /// Another node is named as the leader; nodes that start from now on know it.
    pub fn appoint(&mut self, leader: u64) {
        self.descriptor.plugin_options = format!(r#"{{"single-leader": {{"leader": {leader}}}}}"#);
    }

    /// A leader makes a snapshot and trims its log.
    ///
    /// # Errors
    /// Those of its engine.
    pub fn checkpoint(&mut self, node: u64) -> Result<(), Error> {
        self.make_snapshot(node)?;
        self.say(node, "snapshot, log trimmed".to_owned());
        self.settle(node)
    }

    fn ask(&mut self, what: String) -> usize {
        self.requests.push(Asked {
            what,
            ended: None,
            position: None,
        });
        self.requests.len() - 1
    }

    /// A request leaves its client.
    fn leave(&mut self, number: usize, node: u64) {
        let at = self.now();
        if let Some(asked) = self.requests.get(number) {
            let what = asked.what.clone();
            self.record(Happening::Sent {
                from: Place::Client,
                to: Place::Node(node),
                at,
                arrives: Some(at + self.times.client),
                what,
            });
        }
    }

    fn after(&mut self, span: Micros, event: Event) {
        self.next_event += 1;
        self.agenda
            .insert((self.time + span, self.next_event), event);
    }

    fn link_time(&self, from: u64, to: u64) -> Micros {
        if from == self.far || to == self.far {
            self.times.far_link
        } else {
            self.times.link
        }
    }

    fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cut.contains(&(from, to))
    }

    fn clocks(&self) -> Now {
        Now {
            mono: mono(self.time),
            wall: Wall(self.time / 1000),
        }
    }

    fn record(&mut self, happening: Happening) {
        if self.is_recording {
            self.happenings.push(happening);
        }
    }

    fn say(&mut self, node: u64, what: String) {
        let at = self.now();
        self.record(Happening::Local { node, at, what });
    }

    /// Tells what happened on another stage as well, in order of time: a group of its own, whose nodes
    /// are numbered on after those of this one.
    pub fn tell_beside(&mut self, other: &Self) {
        let shift = self.far;
        let told = other.happenings.iter().map(|it| it.renumbered(shift));
        self.happenings.extend(told);
        self.happenings.sort_by_key(Happening::at);
    }

    /// Bytes of log on a node's disk that are worth something.
    pub fn log_bytes(&self, node: u64) -> u64 {
        let log = self.nodes.get(&node).and_then(|node| node.log.as_ref());
        log.map_or(0, |log| log.counters().bytes_live.min(log.bytes_on_disk()))
    }
}

fn mono(time: Micros) -> Mono {
    Mono(time * 1000)
}

/// Requests are told apart by their number.
fn handle(number: usize) -> ReplyHandle {
    ReplyHandle {
        session: 1,
        request: number as u64,
    }
}
