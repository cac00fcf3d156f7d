//! The Node actor: holds the replicas and drives them, one turn per burst of news.
//!
//! A turn drains the inbox, samples the clocks, hands every piece of news to its replica, flushes
//! the replicas that heard something, and passes on what they want: one burst for the log, one
//! vector of frames per peer, one vector of replies per session. Handlers are synchronous: no state
//! machine is advanced across an await.

mod catalogue;
mod control;
mod discards;
mod members;
mod outputs;
mod rebuild;
mod replicas;
mod slot;
mod snapshots;
mod status;
mod traces;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use repertoire_core::{
    Catalogue, EntryId, GroupId, InstanceGen, LogSeq, Member, Mono, NodeId, Outgoing, Registry,
    Reply,
};

use crate::actors::log::{LogCommand, LogStats};
use crate::actors::resolver::ResolveJob;
use crate::actors::storage::{StorageCommand, TransferStats};
use crate::actors::transport::TransportCommand;
use crate::credit::Credit;
use crate::edge::{Edge, Kick};
use crate::identity::Identity;
use crate::inbox::{Drained, Inbox};
use crate::options::RuntimeOptions;
use crate::session::Sessions;

pub(crate) use control::Control;
pub(crate) use rebuild::LogContents;
pub(crate) use replicas::engine_folder;
pub(crate) use slot::{Slot, SlotBoot};
pub(crate) use traces::TracedRequest;
use traces::Traces;

/// How often deadlines, checkpoints and expiries are looked at.
const TICK: Duration = Duration::from_millis(20);

/// What the Node actor is connected to.
pub(crate) struct Wiring {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) log: Arc<Edge<LogCommand>>,
    pub(crate) transport: Arc<Edge<TransportCommand>>,
    pub(crate) storage: Arc<Edge<StorageCommand>>,
    pub(crate) resolver: Arc<Edge<ResolveJob>>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) log_stats: Arc<LogStats>,
    pub(crate) transfer_stats: Arc<TransferStats>,
    /// Bytes of frames from peers that were not handled yet.
    pub(crate) peer_credit: Arc<Credit>,
}

/// Which log operations of which replica a burst holds.
#[derive(Clone, Copy, Debug)]
struct BurstMark {
    burst: u64,
    group: GroupId,
    instance: InstanceGen,
    seq: LogSeq,
}

/// See the module's documentation.
pub(crate) struct NodeActor {
    identity: Identity,
    options: RuntimeOptions,
    registry: Arc<Registry>,
    catalogue: Arc<Catalogue>,
    wiring: Wiring,
    /// Boxed: they are large, and taken out and put back at every turn.
    slots: BTreeMap<GroupId, Box<Slot>>,
    dirty: Vec<GroupId>,
    drained: Drained,
    bursts: u64,
    marks: VecDeque<BurstMark>,
    frames: BTreeMap<NodeId, Vec<Outgoing>>,
    replies: BTreeMap<u64, Vec<Reply>>,
    /// Peers whose reading was stopped for lack of credit.
    stopped_peers: Vec<NodeId>,
    links: BTreeMap<NodeId, bool>,
    /// Groups that this disk has held and that ended: their logs are still there.
    former: BTreeSet<GroupId>,
    /// The members that the transport was told of.
    introduced: BTreeMap<NodeId, Member>,
    log_full: bool,
    draining: bool,
    next_instance: InstanceGen,
    wake_at: Mono,
    wake: Option<SpawnHandle>,
    internal_requests: u64,
    counters: BTreeMap<&'static str, u64>,
    /// Whether snapshots may be under way, and when their next chunks are due.
    has_snapshots: bool,
    next_chunk: Mono,
    /// No timer of a replica passes before.
    timers_from: Mono,
    started: Mono,
    /// The longest turn since somebody asked: how long this node did nothing else.
    longest_turn: Duration,
    /// The most CPU time of a turn since somebody asked: the same without what the machine did
    /// meanwhile for others.
    longest_turn_cpu: Duration,
    /// The state of keyspace 0 that was acted on last.
    catalogue_at: Option<(EntryId, usize, bool)>,
    traces: Traces,
}

impl std::fmt::Debug for NodeActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeActor")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl NodeActor {
    pub(crate) fn new(
        identity: Identity,
        options: RuntimeOptions,
        registry: Arc<Registry>,
        catalogue: Catalogue,
        wiring: Wiring,
        (slots, former): (BTreeMap<GroupId, Slot>, BTreeSet<GroupId>),
    ) -> Self {
        let next_instance = InstanceGen(slots.len() as u64 + 1);
        let dirty = slots.keys().copied().collect();
        Self {
            identity,
            options,
            registry,
            catalogue: Arc::new(catalogue),
            wiring,
            slots: slots
                .into_iter()
                .map(|(id, slot)| (id, Box::new(slot)))
                .collect(),
            dirty,
            drained: Drained::default(),
            bursts: 0,
            marks: VecDeque::new(),
            frames: BTreeMap::new(),
            replies: BTreeMap::new(),
            stopped_peers: Vec::new(),
            links: BTreeMap::new(),
            former,
            introduced: BTreeMap::new(),
            log_full: false,
            draining: false,
            next_instance,
            wake_at: Mono::NEVER,
            wake: None,
            internal_requests: 0,
            counters: BTreeMap::new(),
            has_snapshots: false,
            next_chunk: Mono(0),
            timers_from: Mono(0),
            started: crate::clock::now().mono,
            longest_turn: Duration::ZERO,
            longest_turn_cpu: Duration::ZERO,
            catalogue_at: None,
            traces: Traces::default(),
        }
    }

    /// Sees to it that a turn happens at `at`, or earlier.
    fn wake_by(&mut self, at: Mono, now: Mono, ctx: &mut Context<Self>) {
        if at <= now {
            return self.wiring.inbox.wake();
        }
        if at >= self.wake_at {
            return;
        }
        if let Some(handle) = self.wake.take() {
            ctx.cancel_future(handle);
        }
        self.wake_at = at;
        self.wake = Some(ctx.run_later(at.since(now), |actor, ctx| {
            actor.wake_at = Mono::NEVER;
            actor.wake = None;
            actor.turn(ctx);
        }));
    }
}

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
        self.wiring.inbox.connect(ctx.address().recipient());
        ctx.run_interval(TICK, Self::tick);
        self.meet_members();
        self.turn(ctx);
    }
}

impl Handler<Kick> for NodeActor {
    type Result = ();

    fn handle(&mut self, _: Kick, ctx: &mut Self::Context) {
        self.turn(ctx);
    }
}
