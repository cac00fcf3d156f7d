//! The world of one run: nodes, network, clients, and what the harness knows of them.

mod boot;
mod controllers;
mod discards;
mod elections;
mod engine_desk;
mod event;
mod expiry;
mod log_desk;
mod members;
mod node;
mod patience;
mod perform;
mod replies;
mod requests;
mod rest;
mod snapshots;
mod steps;
mod transfer;

use std::collections::BTreeMap;
use std::sync::Arc;

use repertoire_core::{
    Descriptor, HostOutput, Machine, Membership, NodeId, Registry, SnapshotMessage, Vitals,
};

use crate::agenda::{Agenda, Slab};
use crate::cast::Cast;
use crate::client::{Book, Client};
use crate::clock::Nanos;
use crate::fault::kind::Fault;
use crate::fault::mix::FaultTally;
use crate::invariants::Findings;
use crate::invariants::convergence::Digests;
use crate::invariants::log_matching::LogCanon;
use crate::invariants::membership::Changes;
use crate::invariants::state_machine::Canon;
use crate::net::Network;
use crate::plan::{Plan, node_id};
use crate::rng::Rng;
use crate::sometimes::Reached;
use crate::trace::Trace;
use crate::watch::Stamp;
use crate::watch::discards::{Place, Request};
use elections::Elections;
pub(crate) use event::{Event, Undo};
use event::{LogAnswer, Parcel, ReplyOut};
use members::Operated;
pub(crate) use node::{Node, Replica};

/// What a cast's replicas say to each other.
type Said<C> = <<C as Cast>::Machine as Machine>::Message;

/// What the harness knows of one keyspace.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) canon: Canon,
    pub(crate) log: LogCanon,
    pub(crate) digests: Digests,
    /// What clients believe the swapped keys to hold.
    pub(crate) swapped: Vec<Option<Stamp>>,
    pub(crate) elections: Elections,
    pub(crate) changes: Changes,
    pub(crate) operated: Operated,
    /// Every record that any log was ever given.
    pub(crate) records: BTreeMap<Place, Request>,
}

/// The world.
pub(crate) struct World<'c, C: Cast> {
    pub(crate) cast: &'c C,
    pub(crate) registry: Arc<Registry>,
    pub(crate) plan: Plan,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) net: Network,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node<C>>,
    pub(crate) clients: Vec<Client>,
    pub(crate) book: Book,
    pub(crate) known: Vec<Known>,
    pub(crate) trace: Trace,
    pub(crate) findings: Findings,
    pub(crate) tally: FaultTally,
    pub(crate) reached: Reached,
    /// Inputs delivered to replicas.
    pub(crate) steps: u64,
    /// Whether clients go on asking.
    pub(crate) is_issuing: bool,
    /// Whether a wall clock jumped so far that servers may have forgotten sessions.
    pub(crate) sessions_may_expire: bool,
    /// The latest time that any wall clock showed before it jumped: clients learn of it, as from the
    /// time in an answer.
    pub(crate) newest_wall: repertoire_core::Wall,
    parcels: Slab<Parcel<Said<C>>>,
    transfers: Slab<Parcel<SnapshotMessage>>,
    replies: Slab<ReplyOut>,
    log_answers: Slab<LogAnswer>,
    undos: Slab<Undo>,
    /// Messages of before, by sender, to be heard again.
    recorded: Vec<Vec<Parcel<Said<C>>>>,
    /// What each kind of fault draws from.
    pub(crate) chances: Vec<Rng>,
    /// When each pair of nodes, in each direction, hears the last news of its link that is planned.
    link_news: Vec<Nanos>,
    /// From when on a path carries messages.
    open_from: Vec<Nanos>,
    /// Kept between flushes; none while one uses it.
    scratch: Option<Box<HostOutput<Said<C>>>>,
    /// Kept between looks at all replicas.
    vitals: Vec<(usize, Vitals)>,
    /// Numbers the harness' own requests.
    internal: u64,
    /// Answers to the harness' own digest reads: node, keyspace, position, digest.
    rest_digests: Vec<(usize, usize, u64, u128)>,
}

impl<'c, C: Cast> World<'c, C> {
    /// A world at time zero: every node formatted, none started.
    pub(crate) fn new(cast: &'c C, registry: Arc<Registry>, plan: Plan, mut rng: Rng) -> Self {
        let nodes_count = plan.nodes;
        let net = Network::new(plan.nodes, plan.net, plan.faults.clone(), rng.fork(1));
        let nodes = (0..plan.nodes)
            .map(|index| Node::new(index, &plan, &mut rng))
            .collect();
        let clients = plan.clients.iter().cloned().map(|client| {
            let members = &plan.groups[client.group].members;
            let target = *rng.pick(members);
            let own = rng.fork(2);
            Client::new(client, target, own)
        });
        let clients = clients.collect();
        let known = plan.groups.iter().map(|group| Known {
            changes: Changes::founded_by(&Membership::founders(
                group.descriptor.replicas(group.id.shard),
            )),
            operated: Operated::new(Arc::clone(&group.descriptor)),
            canon: Canon::new(plan.keys),
            log: LogCanon::default(),
            digests: Digests::default(),
            swapped: vec![None; usize::from(plan.keys)],
            elections: Elections::default(),
            records: BTreeMap::new(),
        });
        let chances = (1..).map(|kind| rng.fork(kind));
        let chances = chances.take(Fault::ALL.len()).collect();
        Self {
            cast,
            registry,
            known: known.collect(),
            net,
            nodes,
            clients,
            agenda: Agenda::new(),
            trace: Trace::new(rng.next_u64()),
            plan,
            rng,
            book: Book::default(),
            findings: Findings::default(),
            tally: FaultTally::default(),
            reached: Reached::default(),
            steps: 0,
            is_issuing: true,
            sessions_may_expire: false,
            newest_wall: repertoire_core::Wall::default(),
            parcels: Slab::new(),
            transfers: Slab::new(),
            replies: Slab::new(),
            log_answers: Slab::new(),
            undos: Slab::new(),
            recorded: (0..nodes_count).map(|_| Vec::new()).collect(),
            chances,
            link_news: vec![0; nodes_count * nodes_count],
            open_from: vec![0; nodes_count * nodes_count],
            scratch: None,
            vitals: Vec::new(),
            internal: 0,
            rest_digests: Vec::new(),
        }
    }

    pub(crate) const fn time(&self) -> Nanos {
        self.agenda.now()
    }

    /// Whether the protocol says so of a node's replica in every keyspace.
    pub(crate) fn all_say(&self, n: usize, says: fn(&C, &Descriptor, NodeId) -> bool) -> bool {
        let here = self.plan.groups.iter();
        here.filter(|group| group.members.contains(&n))
            .all(|group| says(self.cast, &group.descriptor, node_id(n)))
    }

    /// Keeps what ends a fault until its time.
    pub(crate) fn plan_undo(&mut self, undo: Undo) -> u32 {
        self.undos.put(undo)
    }

    pub(crate) fn take_undo(&mut self, slot: u32) -> Option<Undo> {
        self.undos.take(slot)
    }

    /// Every fault was ended at once: the planned ends are void.
    pub(crate) fn forget_undos(&mut self) {
        self.undos.clear();
    }
}
