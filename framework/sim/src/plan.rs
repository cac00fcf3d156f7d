//! What the seed decides before the first event: cluster, keyspaces, disks, network, clients.

use std::sync::Arc;

use repertoire_core::{
    Acks, ClientId, Descriptor, Durability, GroupId, KeyspaceId, NodeId, ShardId, Wall,
};

use crate::clock::{MICRO, MILLI, Nanos, WALL_START_MS};
use crate::config::{RunConfig, Subject, subject};
use crate::fault::kind::Fault;
use crate::fault::mix::FaultMix;
use crate::rng::Rng;

/// One keyspace of the run, which has one shard.
#[derive(Clone, Debug)]
pub(crate) struct GroupPlan {
    pub(crate) id: GroupId,
    pub(crate) descriptor: Arc<Descriptor>,
    /// Nodes that hold a replica, by index.
    pub(crate) members: Vec<usize>,
    /// Those that do from the beginning.
    pub(crate) founders: Vec<usize>,
}

impl GroupPlan {
    /// Whether the replicas elect their leader.
    pub(crate) fn elects(&self) -> bool {
        self.descriptor.plugin_options.contains(r#""elect""#) || self.is_appointed()
    }

    /// Whether the replicas elect only whom a controller wants.
    pub(crate) fn is_appointed(&self) -> bool {
        self.descriptor.plugin_options.contains(r#""appoint""#)
    }

    /// Whether members come and go.
    pub(crate) fn churns(&self) -> bool {
        self.founders.len() < self.members.len()
    }

    /// Copies that a write must ask for, so that no failover may lose it: as many as the keyspace's
    /// own mode does, or enough to meet every majority.
    pub(crate) fn copies_min(&self, faults: &FaultMix) -> usize {
        let replicas = self.founders.len();
        if !self.elects() {
            return 1;
        }
        let meets_majority = replicas - (replicas / 2 + 1) + 1;
        let copies = self.descriptor.options.acks.copies(replicas);
        // As few as meet every majority are too few when a disk may lose one.
        let is_lost = faults.has(Fault::BitRot);
        copies.min(if is_lost {
            replicas / 2 + 1
        } else {
            meets_majority
        })
    }
}

/// One client of the run. It talks to one keyspace.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) id: ClientId,
    pub(crate) group: usize,
    /// Requests under way at once.
    pub(crate) depth: usize,
    /// Pause between requests.
    pub(crate) think: Nanos,
    /// Reads among a thousand requests.
    pub(crate) reads: u64,
    pub(crate) patience: Nanos,
}

/// Purpose of the generator that draws the share of a flush.
const SHARE: u64 = 0x5a;
/// Purpose of the generator that draws wishes for leaders.
const WISHES: u64 = 0x5b;
/// Purpose of the generator that draws what controllers see and want.
const CONTROLLERS: u64 = 0x5d;
/// Purpose of the generator that draws what the operator wants of the members.
const MEMBERS: u64 = 0x5e;
/// Purpose of the generator that draws when nobody asks for anything.
const RECESS: u64 = 0x5c;

/// Recurring spans in which clients begin nothing, so that groups come to rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recess {
    period: Nanos,
    length: Nanos,
}

impl Recess {
    /// Every other run has some.
    fn draw(seed: u64) -> Option<Self> {
        let mut rng = Rng::new(seed).fork(RECESS);
        let period = rng.between(150, 900) * MILLI;
        let length = period * rng.between(1, 7) / 10;
        rng.one_in(2).then_some(Self { period, length })
    }

    /// How long a client of keyspace `group` still waits at that time.
    pub(crate) fn rest(self, group: usize, time: Nanos) -> Nanos {
        let shift = self.period / 3 * group as Nanos;
        self.length.saturating_sub((time + shift) % self.period)
    }
}

/// How the network behaves without faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetPlan {
    pub(crate) latency_min: Nanos,
    pub(crate) latency_mean: Nanos,
    /// Messages that an outbox holds while its path is clogged; more are refused.
    pub(crate) outbox: u32,
}

/// How the disks behave without faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskPlan {
    pub(crate) write: Nanos,
    pub(crate) sync: Nanos,
    pub(crate) segment_bytes: u32,
    pub(crate) retention_bytes: u64,
}

/// Everything drawn before the first event.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) groups: Vec<GroupPlan>,
    pub(crate) clients: Vec<ClientPlan>,
    pub(crate) net: NetPlan,
    pub(crate) disk: DiskPlan,
    pub(crate) faults: FaultMix,
    pub(crate) durability: Durability,
    /// Time an engine job takes when engines run elsewhere; `None`: inline. Both ways it is behind where
    /// engines are slow.
    pub(crate) engine: Option<Nanos>,
    /// How long inputs gather before a flush.
    pub(crate) batch: Nanos,
    /// Whether one replica stays down while the others must go on.
    pub(crate) minority_stays_down: bool,
    /// Bytes of a snapshot's chunk: small, so that a transfer takes several.
    pub(crate) chunk_bytes: usize,
    /// Records that a flush applies in place; `None`: as many as the product does.
    pub(crate) share: Option<usize>,
    /// When nobody asks for anything.
    pub(crate) recess: Option<Recess>,
    /// Draws who is wanted to lead, if somebody wishes for leaders.
    pub(crate) wishes: Option<Rng>,
    /// Draws what the controllers of keyspaces see and want whose leaders are appointed.
    pub(crate) controllers: Rng,
    /// Draws what the operator wants, if there is one.
    pub(crate) churn: Option<Rng>,
    pub(crate) keys: u16,
}

impl Plan {
    pub(crate) fn draw(config: &RunConfig, rng: &mut Rng) -> Self {
        let tested = subject(&config.protocol);
        let replicates = tested.is_none_or(|subject| subject.replicates);
        let drawn = *rng.pick(&[3, 3, 3, 3, 3, 1, 2, 4, 5, 7]);
        let nodes = config.nodes.unwrap_or(drawn).clamp(1, 9);
        let durability = *rng.pick(&[
            Durability::Disk,
            Durability::Disk,
            Durability::Disk,
            Durability::Os,
        ]);
        let mut churn = draw_churn(config, tested);
        let spares = churn.as_mut().map_or(0, |rng| rng.between(1, 3) as usize);
        let (nodes, durability) = match churn {
            Some(_) => (nodes.clamp(3, 5) + spares, Durability::Disk),
            None => (nodes, durability),
        };
        let disk = DiskPlan {
            write: rng.between(2, 40) * MICRO,
            sync: rng.between(50, 3000) * MICRO,
            // An entry of all that waits for a leader must fit.
            segment_bytes: *rng.pick(&[24, 32, 64]) * 1024,
            retention_bytes: *rng.pick(&[0, 4096, 32 * 1024]),
        };
        let stays_down = nodes > 2 && rng.one_in(4);
        let minority_stays_down = stays_down && churn.is_none();
        let groups = draw_groups(
            config,
            tested,
            (nodes, spares),
            durability,
            disk,
            minority_stays_down,
            rng,
        );
        let alone = nodes == 1 || !replicates;
        let faults = draw_faults(config, &groups, durability, alone, rng);
        let keys = rng.between(2, 8) as u16;
        let job_time = rng.between(5, 500) * MICRO;
        let is_slow = faults.has(Fault::SlowEngine);
        let share = draw_share(config.seed).filter(|_| is_slow);
        Self {
            nodes,
            clients: draw_clients(&groups, rng),
            net: NetPlan {
                latency_min: rng.between(20, 300) * MICRO,
                latency_mean: rng.between(20, 2000) * MICRO,
                outbox: *rng.pick(&[4, 16, 64]),
            },
            disk,
            engine: (is_slow && share.is_none()).then_some(job_time),
            faults,
            durability,
            batch: if rng.one_in(2) {
                0
            } else {
                rng.between(5, 300) * MICRO
            },
            minority_stays_down,
            chunk_bytes: *rng.pick(&[200, 1000, 16 * 1024]),
            keys,
            groups,
            share,
            recess: Recess::draw(config.seed),
            wishes: draw_wishes(config.seed),
            controllers: Rng::new(config.seed).fork(CONTROLLERS),
            churn,
        }
    }

    /// Requests that the clients of a keyspace have under way at most.
    pub(crate) fn requests_under_way(&self, group: usize) -> usize {
        let clients = self.clients.iter().filter(|client| client.group == group);
        clients.map(|client| client.depth).sum()
    }

    /// Replicas of a keyspace that writes may count on.
    pub(crate) fn up(&self, group: usize) -> usize {
        up_of(self.groups[group].members.len(), self.minority_stays_down)
    }
}

/// From a generator of its own: what else is drawn does not change with it.
fn draw_share(seed: u64) -> Option<usize> {
    let mut rng = Rng::new(seed).fork(SHARE);
    *rng.pick(&[None, None, None, None, Some(1), Some(4)])
}

/// In one run of five members come and go.
fn draw_churn(config: &RunConfig, tested: Option<Subject>) -> Option<Rng> {
    let mut rng = Rng::new(config.seed).fork(MEMBERS);
    let drawn = rng.one_in(5) && config.elections != Some(false);
    let elects = tested.is_some_and(|subject| subject.elects);
    (config.membership.unwrap_or(drawn) && elects).then_some(rng)
}

fn draw_wishes(seed: u64) -> Option<Rng> {
    let mut rng = Rng::new(seed).fork(WISHES);
    rng.one_in(2).then_some(rng)
}

/// The faults of a run. `alone`: no node has to do with another.
fn draw_faults(
    config: &RunConfig,
    groups: &[GroupPlan],
    durability: Durability,
    alone: bool,
    rng: &mut Rng,
) -> FaultMix {
    let drawn = FaultMix::swarm(rng);
    let mut faults = config.faults.clone().unwrap_or(drawn);
    faults = faults.without(&config.without);
    if durability != Durability::Disk {
        // What was only written may be lost with the power, and acknowledgements say so.
        faults = faults.without(&[Fault::PowerLoss, Fault::DiskFailure]);
    }
    if groups.iter().any(GroupPlan::elects) {
        // An election takes a tenth of a second: what it takes to see many of them in a run.
        if config.faults.is_none() && rng.one_in(2) {
            let kinds = [
                Fault::Partition,
                Fault::Pause,
                Fault::Crash,
                Fault::SlowDisk,
            ];
            faults = faults.times(&kinds, 5);
        }
    }
    if alone {
        let between_nodes = [Fault::Duplicate, Fault::Reorder, Fault::Partition];
        faults = faults.without(&between_nodes);
    }
    faults
}

fn draw_groups(
    config: &RunConfig,
    tested: Option<Subject>,
    (nodes, spares): (usize, usize),
    durability: Durability,
    disk: DiskPlan,
    minority_stays_down: bool,
    rng: &mut Rng,
) -> Vec<GroupPlan> {
    let drawn = rng.between(1, 3) as usize;
    let count = if spares > 0 { 1 } else { drawn };
    let mut groups = Vec::new();
    for index in 0..count {
        let other = config.mixed && index > 0 && rng.one_in(2);
        let chosen = if other { subject("standalone") } else { tested };
        let name = chosen.map_or(config.protocol.as_str(), |subject| subject.name);
        let replicates = chosen.is_none_or(|subject| subject.replicates);
        let members: Vec<usize> = if replicates {
            (0..nodes).collect()
        } else {
            vec![rng.index(nodes)]
        };
        let founders: Vec<usize> = members.iter().copied().take(nodes - spares).collect();
        let ids: Vec<NodeId> = founders.iter().map(|node| node_id(*node)).collect();
        let number = index as u32 + 1;
        let title = format!("keyspace-{number}");
        let mut descriptor = Descriptor::single_shard(KeyspaceId(number), title, name, &ids);
        descriptor.options.durability = durability;
        let drawn = draw_acks(ids.len(), up_of(ids.len(), minority_stays_down), rng);
        descriptor.options.acks = match drawn {
            // What any number of members can give, and no failover loses.
            Acks::Async | Acks::Sync if spares > 0 => Acks::SemiSync(1),
            drawn => drawn,
        };
        descriptor.options.checkpoint_bytes = rng.between(8, 64) * 1024;
        descriptor.options.log_retention_bytes = disk.retention_bytes;
        descriptor.options.value_max = 4096;
        if let Some(chosen) = chosen {
            let elections = if spares > 0 {
                Some(true)
            } else {
                config.elections
            };
            (chosen.tune)(&mut descriptor, elections, rng);
            if !config.appoints || spares > 0 {
                let options = &mut descriptor.plugin_options;
                *options = options.replace(r#""appoint""#, r#""elect""#);
            }
        }
        groups.push(GroupPlan {
            id: GroupId {
                keyspace: KeyspaceId(number),
                shard: ShardId(0),
            },
            descriptor: Arc::new(descriptor),
            members,
            founders,
        });
    }
    groups
}

/// Replicas that writes may count on: a write that needs one that never comes back blocks all later
/// ones, as it must.
pub(crate) const fn up_of(replicas: usize, minority_stays_down: bool) -> usize {
    if minority_stays_down && replicas > 2 {
        replicas - 1
    } else {
        replicas
    }
}

/// An ack mode that a group of that size can satisfy with so many of its replicas.
pub(crate) fn draw_acks(replicas: usize, up: usize, rng: &mut Rng) -> Acks {
    let modes = [
        Acks::Async,
        Acks::SemiSync(1),
        Acks::SemiSync(2),
        Acks::Majority,
        Acks::Majority,
        Acks::Sync,
    ];
    let drawn = *rng.pick(&modes);
    if drawn.copies(replicas) <= up {
        drawn
    } else {
        Acks::Majority
    }
}

fn draw_clients(groups: &[GroupPlan], rng: &mut Rng) -> Vec<ClientPlan> {
    let count = rng.between(2, 5) as usize + groups.len();
    let think = rng.between(200, 4000) * MICRO;
    let created = Wall(WALL_START_MS);
    (0..count)
        .map(|index| ClientPlan {
            id: ClientId::new(created, index as u128 + 1),
            group: index % groups.len(),
            depth: *rng.pick(&[1, 1, 4, 16]),
            think,
            reads: *rng.pick(&[200, 400, 600]),
            // The impatient ones find a new leader while others still ask the old one.
            patience: if rng.one_in(2) {
                rng.between(8, 60)
            } else {
                rng.between(30, 400)
            } * MILLI,
        })
        .collect()
}

/// The name of the node at an index. Zero is not a valid node.
pub(crate) const fn node_id(index: usize) -> NodeId {
    NodeId(index as u64 + 1)
}

/// The index of a node.
pub(crate) const fn node_index(node: NodeId) -> usize {
    node.0 as usize - 1
}
