//! Starting a node: recover what its disk holds, then start the actors on their threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, System};
use parking_lot::Mutex;
use repertoire_core::{
    Catalogue, Descriptor, EngineSpec, Entry, EntryId, Error, ErrorKind, GroupId, InstanceGen,
    LoadedState, LogSlice, LogStore, Lsn, RecoveredGroup, Registry, ReplicaSpec, ShardId, StreamId,
    Transport, discards::DISCARDS_BYTES_MAX, load_snapshot, read_discards, tail_start,
};
use tokio::sync::{mpsc, watch};

use crate::actors::log::LogActor;
use crate::actors::node::{NodeActor, Slot, SlotBoot, Wiring, engine_folder};
use crate::actors::resolver::ResolverActor;
use crate::actors::storage::{StorageActor, open_snapshots};
use crate::actors::transport::{InboxSink, StartTransport, TransportActor};
use crate::credit::Credit;
use crate::edge::Edge;
use crate::handle::{NodeHandle, Running, StopOrder};
use crate::identity::{Identity, load_catalogue, read_identity};
use crate::inbox::Inbox;
use crate::options::RuntimeOptions;
use crate::session::Sessions;
use crate::shutdown::{Actors, shut_down};
use crate::snapshots::SnapshotStore;
use crate::tokens::TokenDesk;

/// Bytes of entries read back at once while recovering.
const RECOVERY_READ_BYTES: usize = 4 << 20;

/// Makes the transport, once the node has a handle that clients' sessions can be opened on.
pub type MakeTransport = Box<dyn FnOnce(&NodeHandle) -> Result<Arc<dyn Transport>, Error> + Send>;

/// What a node is made from.
#[allow(missing_debug_implementations, reason = "plug-ins have no debug form")]
pub struct NodeParts {
    /// Settings.
    pub options: RuntimeOptions,
    /// The plug-ins.
    pub registry: Arc<Registry>,
    /// The log, opened on the node's data folder.
    pub log: Box<dyn LogStore>,
    /// The network.
    pub transport: MakeTransport,
    /// Held until the node's threads have ended.
    pub folder_lock: Option<std::fs::File>,
}

/// Starts a node on threads of its own. Returns once it listens.
///
/// # Errors
/// `ConfigInvalid` for a folder that was not formatted or plug-ins that are not registered;
/// `Corrupted` when what the disk holds does not fit together; those of the transport's start.
pub async fn start_node(parts: NodeParts) -> Result<NodeHandle, Error> {
    let identity = read_identity(&parts.options.data)?;
    let (stop, stop_orders) = mpsc::unbounded_channel();
    let (end, ended) = watch::channel(None);
    let tokens = TokenDesk::new(identity.cluster, parts.options.token_keys.clone());
    let node = identity.node;
    let running = Arc::new(Running {
        identity,
        request_credit: Credit::new(parts.options.request_bytes_max),
        options: parts.options.clone(),
        inbox: Arc::new(Inbox::default()),
        sessions: Arc::new(Sessions::new(node, tokens, parts.options.fence.clone())),
        stop,
        ended,
        thread: Mutex::new(None),
    });
    let handle = NodeHandle { running };
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let for_thread = handle.clone();
    let name = format!("repertoire-{}", handle.identity().node.0);
    let thread = std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            let system = System::new();
            let result = system.block_on(run(for_thread, parts, stop_orders, ready));
            let _ = end.send(Some(result));
        })
        .map_err(|e| Error::new(ErrorKind::Unexpected, "start a thread").with("detail", e))?;
    *handle.running.thread.lock() = Some(thread);
    match is_ready.await {
        Ok(Ok(())) => Ok(handle),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::new(ErrorKind::Unexpected, "start the node")),
    }
}

type Ready = tokio::sync::oneshot::Sender<Result<(), Error>>;

async fn run(
    handle: NodeHandle,
    mut parts: NodeParts,
    mut stop_orders: mpsc::UnboundedReceiver<StopOrder>,
    ready: Ready,
) -> Result<(), Error> {
    let _folder_lock = parts.folder_lock.take();
    let actors = match start_actors(&handle, parts).await {
        Ok(actors) => actors,
        Err(error) => {
            let _ = ready.send(Err(error.clone()));
            return Err(error);
        }
    };
    let _ = ready.send(Ok(()));
    tracing::info!(node = handle.identity().node.0, "The node is up");
    let patience = std::time::Duration::from_secs(1);
    let order = stop_orders.recv().await;
    let order = order.unwrap_or(StopOrder {
        patience,
        failure: None,
    });
    shut_down(&handle, actors, order).await
}

async fn start_actors(handle: &NodeHandle, parts: NodeParts) -> Result<Actors, Error> {
    let running = &handle.running;
    let NodeParts {
        options,
        registry,
        mut log,
        transport,
        ..
    } = parts;
    let store = open_snapshots(&options.data)?;
    let catalogue = boot_catalogue(&options, &running.identity)?;
    let slots = recover(
        &running.identity,
        &options,
        &registry,
        &catalogue,
        &store,
        &mut *log,
    )?;
    let former = log.recovered().keys();
    let former = former.filter(|group| !slots.contains_key(group)).copied();
    let former = former.collect();
    let wiring = wire(running, &options);
    running.sessions.publish(Arc::new(catalogue.clone()));
    let proposed = options.proposed.iter();
    let names = proposed.map(|descriptor| descriptor.name.clone());
    running.sessions.expect(names.collect());
    let sink = InboxSink::new(Arc::clone(&wiring.inbox), Arc::clone(&wiring.peer_credit));
    let transport = transport(handle)?;
    let transport =
        TransportActor::new(transport, Arc::new(sink), Arc::clone(&wiring.transport)).start();
    let threads = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
    let [log_thread, storage_thread, resolver_thread] = &threads;
    let log = start_log(handle, log_thread, log, &wiring);
    let storage = StorageActor::new(
        store,
        Arc::clone(&registry),
        Arc::clone(&wiring.storage),
        Arc::clone(&wiring.inbox),
        Arc::clone(&wiring.transport),
        Arc::clone(&wiring.transfer_stats),
    );
    StorageActor::start_in_arbiter(&storage_thread.handle(), |_| storage);
    let resolver = ResolverActor::new(Arc::clone(&wiring.resolver), Arc::clone(&wiring.inbox));
    ResolverActor::start_in_arbiter(&resolver_thread.handle(), |_| resolver);
    let identity = running.identity.clone();
    let node = NodeActor::new(
        identity,
        options,
        registry,
        catalogue,
        wiring,
        (slots, former),
    )
    .start();
    let stopped = || Error::new(ErrorKind::Unexpected, "start the transport");
    transport
        .send(StartTransport)
        .await
        .map_err(|_| stopped())??;
    Ok(Actors {
        node,
        log,
        transport,
        threads: threads.into(),
    })
}

fn wire(running: &Running, options: &RuntimeOptions) -> Wiring {
    Wiring {
        inbox: Arc::clone(&running.inbox),
        log: Arc::new(Edge::default()),
        transport: Arc::new(Edge::default()),
        storage: Arc::new(Edge::default()),
        resolver: Arc::new(Edge::default()),
        sessions: Arc::clone(&running.sessions),
        log_stats: Arc::default(),
        transfer_stats: Arc::default(),
        peer_credit: Credit::new(options.peer_bytes_max),
    }
}

fn start_log(
    handle: &NodeHandle,
    thread: &Arbiter,
    log: Box<dyn LogStore>,
    wiring: &Wiring,
) -> Addr<LogActor> {
    let stop = handle.running.stop.clone();
    let fail_stop = Box::new(move |error: &Error| {
        let patience = std::time::Duration::ZERO;
        let _ = stop.send(StopOrder {
            patience,
            failure: Some(error.clone()),
        });
    });
    let stats = Arc::clone(&wiring.log_stats);
    let (edge, inbox) = (Arc::clone(&wiring.log), Arc::clone(&wiring.inbox));
    let actor = LogActor::new(log, edge, inbox, fail_stop, stats);
    LogActor::start_in_arbiter(&thread.handle(), |_| actor)
}

/// The cached catalogue, with keyspace 0 as it was formatted when there is no cache yet. Every node holds
/// keyspace 0; one that the cluster was not founded with is about to be taken in.
fn boot_catalogue(options: &RuntimeOptions, identity: &Identity) -> Result<Catalogue, Error> {
    let mut catalogue = load_catalogue(&options.data)?;
    let is_catalogue = |d: &&Descriptor| d.id == GroupId::CATALOGUE.keyspace;
    for descriptor in options.proposed.iter().filter(is_catalogue) {
        let (node, disk, site) = (identity.node, identity.incarnation, &identity.site);
        let is_mine = |spec: &ReplicaSpec| spec.node == node;
        let mut joined = descriptor.clone();
        if !descriptor.replicas(ShardId(0)).iter().any(is_mine)
            && let Some(it) = descriptor.expecting(ShardId(0), node, disk, site.clone())
        {
            joined.placement = it.placement;
        }
        catalogue.insert(joined);
    }
    let known: BTreeSet<_> = catalogue.all_members().map(|member| member.node).collect();
    let news = options.members.iter();
    news.filter(|member| !known.contains(&member.node))
        .for_each(|member| catalogue.insert_member(member.clone()));
    Ok(catalogue)
}

fn recover(
    identity: &Identity,
    options: &RuntimeOptions,
    registry: &Arc<Registry>,
    catalogue: &Catalogue,
    store: &SnapshotStore,
    log: &mut dyn LogStore,
) -> Result<BTreeMap<GroupId, Slot>, Error> {
    let now = crate::clock::now();
    let mut slots = BTreeMap::new();
    for descriptor in catalogue.keyspaces() {
        registry.validate(descriptor)?;
        for (shard, replicas) in &descriptor.placement.shards {
            if !replicas.iter().any(|replica| replica.node == identity.node) {
                continue;
            }
            let group = GroupId {
                keyspace: descriptor.id,
                shard: *shard,
            };
            let instance = InstanceGen(slots.len() as u64 + 1);
            let folder = engine_folder(&options.data, group);
            let engine = EngineSpec {
                descriptor: Arc::clone(descriptor),
                folder,
            };
            let boot = recover_group(
                group,
                descriptor,
                instance,
                engine.clone(),
                registry,
                store,
                log,
            );
            let slot = match boot.and_then(|boot| Slot::start(boot, identity, registry, now)) {
                // One keyspace's rotten bytes are no reason to refuse the others.
                Err(error) if *error.kind() == ErrorKind::Corrupted => {
                    tracing::error!(%group, %error, "A replica does not start: its data is damaged");
                    Slot::refused(group, instance, Arc::clone(descriptor), engine, error)
                }
                slot => slot?,
            };
            slots.insert(group, slot);
        }
    }
    Ok(slots)
}

fn recover_group(
    group: GroupId,
    descriptor: &Arc<Descriptor>,
    instance: InstanceGen,
    engine: EngineSpec,
    registry: &Registry,
    store: &SnapshotStore,
    log: &mut dyn LogStore,
) -> Result<SlotBoot, Error> {
    log.set_retention(group, descriptor.options.log_retention_bytes);
    let recovered = log.recovered().get(&group).cloned().unwrap_or_default();
    if recovered.damaged {
        let keyspace = &descriptor.name;
        tracing::error!(%group, keyspace, "Records of this replica's log are damaged");
    }
    let state = load_newest(group, &engine, registry, store)?;
    let applied = state
        .as_ref()
        .map_or_else(Default::default, |state| state.header.position);
    let tail = read_tail(group, &recovered, applied, log)?;
    let discards = read_discards(log, group, &recovered)?;
    let descriptor = Arc::clone(descriptor);
    Ok(SlotBoot {
        group,
        descriptor,
        instance,
        recovered,
        tail,
        discards,
        state,
        engine,
    })
}

/// Loads the newest durable snapshot, if there is one, into a fresh engine.
pub(crate) fn load_newest(
    group: GroupId,
    engine: &EngineSpec,
    registry: &Registry,
    store: &SnapshotStore,
) -> Result<Option<LoadedState>, Error> {
    let Some(file) = store.newest(group) else {
        return Ok(None);
    };
    let factory = registry.get_engine(&engine.descriptor.engine.name)?;
    let chunks = 0..u32::try_from(file.header().chunks.len()).unwrap_or(u32::MAX);
    let chunks = chunks.map(|index| file.chunk(index));
    load_snapshot(file.header().clone(), chunks, factory(engine)?).map(Some)
}

/// Reads the entries after `applied`, so that they can be applied again; of a log that a snapshot has
/// replaced, the newest ones.
pub(crate) fn read_tail(
    group: GroupId,
    recovered: &RecoveredGroup,
    applied: EntryId,
    log: &mut dyn LogStore,
) -> Result<Vec<Entry>, Error> {
    let stream = StreamId(0);
    let Some(extent) = recovered.streams.get(&stream) else {
        return Ok(Vec::new());
    };
    if extent.base.lsn > applied.lsn {
        return Err(Error::new(ErrorKind::Corrupted, "recover a replica")
            .with("group", group)
            .with("snapshot", applied)
            .with("log_starts_after", extent.base.lsn)
            .with("detail", "the log begins beyond the newest snapshot"));
    }
    let mut tail: Vec<Entry> = Vec::new();
    let mut next = tail_start(recovered, applied).next();
    while next <= extent.last.lsn {
        let found = match log.read(group, stream, next, RECOVERY_READ_BYTES) {
            // The replica is told of the damage: it refuses to lead, or has a leader send what is lost.
            Err(error) if recovered.damaged && *error.kind() == ErrorKind::Corrupted => break,
            found => found?,
        };
        match found {
            LogSlice::Entries(entries) if !entries.is_empty() => {
                next = entries.last().map_or(next, |entry| entry.last_lsn().next());
                tail.extend(entries);
                drop_oldest(&mut tail, applied.lsn);
            }
            LogSlice::Entries(_) | LogSlice::Trimmed { .. } => {
                return Err(Error::new(ErrorKind::Corrupted, "recover a replica")
                    .with("group", group)
                    .with("missing", next));
            }
        }
    }
    Ok(tail)
}

/// Keeps as much of a tail as a journal of discarded writes takes, and all that must be applied.
fn drop_oldest(tail: &mut Vec<Entry>, applied: Lsn) {
    if tail.first().is_none_or(|entry| entry.last_lsn() > applied) {
        return;
    }
    let mut bytes: usize = tail.iter().map(Entry::encoded_len).sum();
    let max = usize::try_from(DISCARDS_BYTES_MAX).unwrap_or(usize::MAX);
    let is_surplus = |entry: &&Entry| {
        let over = bytes > max && entry.last_lsn() <= applied;
        bytes -= entry.encoded_len();
        over
    };
    let surplus = tail.iter().take_while(is_surplus).count();
    tail.drain(..surplus);
}
