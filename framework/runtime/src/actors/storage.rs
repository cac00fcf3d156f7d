//! The Storage actor: slow work on behalf of replicas, on a thread of its own.
//!
//! Writes and loads snapshot files, moves them between nodes, and executes jobs of engines that are
//! too slow for the Node actor's thread. Snapshot bytes go from disk to transport and back without
//! passing through the Node actor.

mod engines;
mod receiving;
mod sending;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use repertoire_core::{
    Channel, ConfigEpoch, Encoded, EngineSpec, EntryId, Error, Executor, GroupId, InstanceGen, Job,
    Lsn, NodeId, Outgoing, Registry, SnapshotMessage, SnapshotPiece, StorageEngine, WireMessage,
};

use crate::actors::transport::TransportCommand;
use crate::edge::{Edge, Kick};
use crate::inbox::Inbox;
use crate::snapshots::{SnapshotNews, SnapshotStore, SnapshotWriter};
use receiving::Receiving;
use sending::Sending;

/// How often transfers look for silence.
const TICK: Duration = Duration::from_millis(100);

/// What transfers of snapshots have done since the node started; read by anybody.
#[derive(Debug, Default)]
pub(crate) struct TransferStats {
    /// Chunks that arrived, whether they were of use or not.
    pub(crate) chunks_received: AtomicU64,
    /// Chunks on this node's disk of the snapshot that is, or was last, received.
    pub(crate) chunks_stored: AtomicU64,
    /// All chunks of that snapshot.
    pub(crate) chunks_expected: AtomicU64,
    /// How many of them an earlier attempt had left here.
    pub(crate) resumed_from: AtomicU64,
    /// Bytes of chunks that were read from engines here and not yet written to a file.
    pub(crate) unwritten: AtomicUsize,
}

impl TransferStats {
    /// A piece is on its way to the storage thread.
    pub(crate) fn queued(&self, piece: &SnapshotPiece) {
        if let SnapshotPiece::Chunk(rows) = piece {
            self.unwritten.fetch_add(rows.len(), Ordering::Relaxed);
        }
    }

    fn written(&self, rows: &[u8]) {
        self.unwritten.fetch_sub(rows.len(), Ordering::Relaxed);
    }
}

/// What the storage thread is told.
pub(crate) enum StorageCommand {
    /// A part of a snapshot that a replica makes.
    Piece {
        /// The replica.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// The part.
        piece: SnapshotPiece,
    },
    /// A peer needs a snapshot at or after `base`.
    Send {
        /// The replica.
        group: GroupId,
        /// The descriptor's version.
        config_epoch: ConfigEpoch,
        /// The peer.
        to: NodeId,
        /// The last record that was trimmed from the log: an older snapshot does not help.
        base: Lsn,
    },
    /// This replica needs a snapshot of a peer.
    Fetch {
        /// The replica.
        group: GroupId,
        /// The descriptor's version.
        config_epoch: ConfigEpoch,
        /// The peer.
        from: NodeId,
    },
    /// A message of a peer's transfer.
    Message {
        /// The replica.
        group: GroupId,
        /// How to make its engine.
        engine: EngineSpec,
        /// The descriptor's version.
        config_epoch: ConfigEpoch,
        /// The peer.
        from: NodeId,
        /// What it says.
        message: Encoded,
    },
    /// From now on jobs of this replica are executed here.
    AddEngine {
        /// The replica.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// The engine.
        executor: Box<Executor>,
    },
    /// Free an engine that was replaced: it may hold millions of rows.
    Free(Box<dyn StorageEngine>),
    /// Execute a job.
    Run {
        /// The replica.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// The job.
        job: Job,
    },
    /// Forget a replica that stopped, and load its newest snapshot into a fresh engine.
    Rebuild {
        /// The replica.
        group: GroupId,
        /// The boot that waits for it.
        instance: InstanceGen,
        /// Where the engine goes.
        engine: EngineSpec,
    },
    /// A snapshot that was loaded is in force here.
    Installed {
        /// The replica.
        group: GroupId,
        /// The descriptor's version.
        config_epoch: ConfigEpoch,
        /// Who sent it.
        from: NodeId,
        /// What it covers.
        position: EntryId,
    },
}

/// See the module's documentation.
pub(crate) struct StorageActor {
    pub(crate) store: SnapshotStore,
    pub(crate) registry: Arc<Registry>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) transport: Arc<Edge<TransportCommand>>,
    pub(crate) stats: Arc<TransferStats>,
    edge: Arc<Edge<StorageCommand>>,
    taken: Vec<StorageCommand>,
    writers: BTreeMap<GroupId, SnapshotWriter>,
    pub(crate) sending: BTreeMap<(GroupId, NodeId), Sending>,
    pub(crate) receiving: BTreeMap<GroupId, Receiving>,
    pub(crate) engines: BTreeMap<GroupId, (InstanceGen, Box<Executor>)>,
}

impl std::fmt::Debug for StorageActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageActor")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl StorageActor {
    /// An actor over an opened store.
    pub(crate) fn new(
        store: SnapshotStore,
        registry: Arc<Registry>,
        edge: Arc<Edge<StorageCommand>>,
        inbox: Arc<Inbox>,
        transport: Arc<Edge<TransportCommand>>,
        stats: Arc<TransferStats>,
    ) -> Self {
        Self {
            stats,
            store,
            registry,
            inbox,
            transport,
            edge,
            taken: Vec::new(),
            writers: BTreeMap::new(),
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            engines: BTreeMap::new(),
        }
    }

    fn take(&mut self, command: StorageCommand) {
        match command {
            StorageCommand::Piece {
                group,
                instance,
                piece,
            } => self.piece(group, instance, piece),
            StorageCommand::Send {
                group,
                config_epoch,
                to,
                base,
            } => {
                self.offer(group, config_epoch, to, base);
            }
            StorageCommand::Fetch {
                group,
                config_epoch,
                from,
            } => {
                self.say(group, config_epoch, from, SnapshotMessage::Request);
            }
            StorageCommand::Message {
                group,
                engine,
                config_epoch,
                from,
                message,
            } => {
                if let Ok(message) = SnapshotMessage::decode(message) {
                    self.hear(group, &engine, config_epoch, from, message);
                }
            }
            StorageCommand::AddEngine {
                group,
                instance,
                executor,
            } => {
                self.engines.insert(group, (instance, executor));
            }
            StorageCommand::Free(engine) => drop(engine),
            StorageCommand::Rebuild {
                group,
                instance,
                engine,
            } => self.reload(group, instance, &engine),
            StorageCommand::Run {
                group,
                instance,
                job,
            } => self.run_job(group, instance, job),
            StorageCommand::Installed {
                group,
                config_epoch,
                from,
                position,
            } => {
                let done = SnapshotMessage::Done {
                    position,
                    installed: true,
                };
                self.say(group, config_epoch, from, done);
            }
        }
    }

    fn forget_writer(&mut self, group: GroupId) {
        self.writers.remove(&group);
    }

    fn piece(&mut self, group: GroupId, instance: InstanceGen, piece: SnapshotPiece) {
        let done = match piece {
            SnapshotPiece::Begin(position) => self.store.create(group, position).map(|writer| {
                self.writers.insert(group, writer);
            }),
            SnapshotPiece::Chunk(rows) => {
                self.stats.written(&rows);
                let writer = self.writers.get_mut(&group);
                writer.map_or(Ok(()), |writer| writer.chunk(&rows))
            }
            SnapshotPiece::Finished(header) => match self.writers.remove(&group) {
                None => Ok(()),
                Some(writer) => self.store.finish(writer, &header).map(|_| {
                    let position = header.position;
                    self.tell(SnapshotNews::Durable {
                        group,
                        instance,
                        position,
                    });
                    self.offer_waiting(group);
                }),
            },
        };
        if let Err(error) = done {
            self.writers.remove(&group);
            self.tell(SnapshotNews::Failed { group, error });
        }
    }

    fn hear(
        &mut self,
        group: GroupId,
        engine: &EngineSpec,
        config_epoch: ConfigEpoch,
        from: NodeId,
        message: SnapshotMessage,
    ) {
        match message {
            SnapshotMessage::Request => self.offer(group, config_epoch, from, Lsn::ZERO),
            SnapshotMessage::Want {
                position,
                from: first,
                count,
            } => {
                self.send_chunks(group, from, position, first, count);
            }
            SnapshotMessage::Done {
                position,
                installed,
            } => {
                self.sent(group, from, installed.then_some(position));
            }
            SnapshotMessage::Offer(header) => {
                self.accept(group, engine, config_epoch, from, header);
            }
            SnapshotMessage::Chunk {
                position,
                index,
                rows,
            } => {
                self.receive_chunk(group, from, position, index, &rows);
            }
        }
    }

    pub(crate) fn say(
        &self,
        group: GroupId,
        config_epoch: ConfigEpoch,
        to: NodeId,
        message: SnapshotMessage,
    ) {
        let message = message.encode();
        let frame = Outgoing {
            channel: Channel::Snapshot,
            group,
            config_epoch,
            message,
            trace: None,
        };
        self.transport.push(TransportCommand::Send {
            to,
            frames: vec![frame],
        });
    }

    pub(crate) fn tell(&self, news: SnapshotNews) {
        self.inbox.put(|lanes| lanes.snapshots.push(news));
    }

    pub(crate) fn fail(&self, group: GroupId, error: Error) {
        tracing::error!(%group, %error, "A snapshot failed");
        self.tell(SnapshotNews::Failed { group, error });
    }
}

/// Opens the folder of snapshots below a node's data folder.
///
/// # Errors
/// `StorageFailed`.
pub(crate) fn open_snapshots(data: &Path) -> Result<SnapshotStore, Error> {
    SnapshotStore::open(&data.join("snapshots"))
}

impl Actor for StorageActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
        self.edge.connect(ctx.address().recipient());
        ctx.run_interval(TICK, |actor, _| {
            let now = crate::clock::now().mono;
            actor.tick_sending(now);
            actor.tick_receiving(now);
        });
    }
}

impl Handler<Kick> for StorageActor {
    type Result = ();

    fn handle(&mut self, _: Kick, _: &mut Self::Context) {
        let mut taken = std::mem::take(&mut self.taken);
        self.edge.take(&mut taken);
        for command in taken.drain(..) {
            self.take(command);
        }
        self.taken = taken;
    }
}
