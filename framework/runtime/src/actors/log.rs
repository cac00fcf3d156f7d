//! The Log actor: one per process, on its own thread, one `fdatasync` per burst for all replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};
use repertoire_core::{
    EntryId, Error, ErrorKind, GroupId, GroupLogOp, InstanceGen, LogRead, LogStore, read_discards,
};

use crate::actors::node::LogContents;
use crate::edge::{Edge, Kick};
use crate::inbox::{Inbox, LogReadDone, RecoverDone};
use crate::start::read_tail;

/// How often a full log is tried again.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// What the log is told.
#[derive(Debug)]
pub(crate) enum LogCommand {
    /// Write operations; report `burst` once they are durable.
    Append {
        /// Numbers the bursts of this process.
        burst: u64,
        /// The operations, in order.
        ops: Vec<GroupLogOp>,
    },
    /// Keep so many bytes of a replica's log for slow followers.
    Retain {
        /// The replica.
        group: GroupId,
        /// The bytes.
        bytes: u64,
    },
    /// Say what the log holds of a replica that is built anew.
    Recover {
        /// The replica.
        group: GroupId,
        /// The boot that waits for it.
        instance: InstanceGen,
        /// How far its snapshot goes.
        applied: EntryId,
    },
    /// Read entries back.
    Read {
        /// The replica that asks.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// What it wants.
        read: LogRead,
    },
}

/// What the log has done so far; read by anybody.
#[derive(Debug, Default)]
pub(crate) struct LogStats {
    /// Bursts written.
    pub(crate) bursts: AtomicU64,
    /// `fdatasync` calls.
    pub(crate) syncs: AtomicU64,
    /// Operations written.
    pub(crate) operations: AtomicU64,
    /// Bytes that the log occupies.
    pub(crate) bytes_on_disk: AtomicU64,
}

/// Stops the log after everything queued is on stable storage.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Error>")]
pub(crate) struct FlushAndStop;

/// Called once when the log has failed for good: the node must stop.
pub(crate) type FailStop = Box<dyn Fn(&Error) + Send>;

/// See the module's documentation.
pub(crate) struct LogActor {
    store: Box<dyn LogStore>,
    edge: Arc<Edge<LogCommand>>,
    inbox: Arc<Inbox>,
    taken: Vec<LogCommand>,
    /// Written to the store by the next flush: operations, and the last burst they belong to.
    pending: Vec<GroupLogOp>,
    pending_burst: u64,
    full: bool,
    failed: Option<Error>,
    fail_stop: FailStop,
    stats: Arc<LogStats>,
}

impl std::fmt::Debug for LogActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogActor")
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}

impl LogActor {
    /// An actor over an opened store.
    pub(crate) fn new(
        store: Box<dyn LogStore>,
        edge: Arc<Edge<LogCommand>>,
        inbox: Arc<Inbox>,
        fail_stop: FailStop,
        stats: Arc<LogStats>,
    ) -> Self {
        Self {
            store,
            edge,
            inbox,
            taken: Vec::new(),
            pending: Vec::new(),
            pending_burst: 0,
            full: false,
            failed: None,
            fail_stop,
            stats,
        }
    }

    fn turn(&mut self, ctx: &mut Context<Self>) {
        let mut taken = std::mem::take(&mut self.taken);
        self.edge.take(&mut taken);
        let mut reads = Vec::new();
        let mut recovers = Vec::new();
        for command in taken.drain(..) {
            match command {
                LogCommand::Append { burst, mut ops } => {
                    self.pending.append(&mut ops);
                    self.pending_burst = burst;
                }
                LogCommand::Retain { group, bytes } => self.store.set_retention(group, bytes),
                LogCommand::Read {
                    group,
                    instance,
                    read,
                } => reads.push((group, instance, read)),
                LogCommand::Recover {
                    group,
                    instance,
                    applied,
                } => recovers.push((group, instance, applied)),
            }
        }
        self.taken = taken;
        if !self.full {
            self.write_pending(ctx);
        }
        self.answer(reads);
        for (group, instance, applied) in recovers {
            let contents = self.recover(group, applied);
            if let Err(error) = &contents
                && *error.kind() == ErrorKind::StorageFailed
            {
                self.fail(error.clone());
            }
            let done = RecoverDone {
                group,
                instance,
                contents,
            };
            self.inbox.put(|lanes| lanes.recovered.push(done));
        }
        self.prepare(ctx);
        let bytes = self.store.bytes_on_disk();
        self.stats.bytes_on_disk.store(bytes, Ordering::Relaxed);
    }

    fn write_pending(&mut self, ctx: &mut Context<Self>) {
        if self.pending.is_empty() || self.failed.is_some() {
            return;
        }
        match self.store.write(&self.pending) {
            Ok(()) => {}
            Err(error) if *error.kind() == ErrorKind::StorageFull => {
                self.report_full(true);
                ctx.run_later(FULL_RETRY, Self::retry_full);
                return;
            }
            Err(error) => return self.fail(error),
        }
        self.report_full(false);
        self.stats.bursts.fetch_add(1, Ordering::Relaxed);
        self.stats
            .operations
            .fetch_add(self.pending.len() as u64, Ordering::Relaxed);
        if self.pending.iter().any(|op| op.sync) {
            self.stats.syncs.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = self.store.sync() {
                return self.fail(error);
            }
        }
        self.pending.clear();
        let burst = self.pending_burst;
        self.inbox.put(|lanes| lanes.durable = Some(burst));
    }

    fn retry_full(&mut self, ctx: &mut Context<Self>) {
        // `full` stays set until a write succeeds, so that turns in between do not try as well.
        self.write_pending(ctx);
    }

    fn report_full(&mut self, full: bool) {
        if self.full != full {
            self.full = full;
            if full {
                tracing::error!("The log's disk is full: writes are refused until there is space");
            } else {
                tracing::info!("The log's disk has space again");
            }
            self.inbox.put(|lanes| lanes.log_full = Some(full));
        }
    }

    fn fail(&mut self, error: Error) {
        tracing::error!(%error, "The log failed: this node stops");
        (self.fail_stop)(&error);
        self.failed = Some(error);
        self.pending.clear();
    }

    fn answer(&mut self, reads: Vec<(GroupId, InstanceGen, LogRead)>) {
        if reads.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(reads.len());
        for (group, instance, read) in reads {
            let slice = self
                .store
                .read(group, read.stream, read.from, read.bytes_max);
            answers.push(LogReadDone {
                group,
                instance,
                ticket: read.ticket,
                slice,
            });
        }
        self.inbox.put(|lanes| lanes.log_reads.append(&mut answers));
    }

    /// What a replica boots from. What was handed to this log for it is in there and durable, as it
    /// would be after a restart.
    fn recover(&mut self, group: GroupId, applied: EntryId) -> Result<LogContents, Error> {
        if !self.pending.is_empty() {
            return Err(Error::new(ErrorKind::StorageFull, "recover a replica"));
        }
        let recovered = self.store.recover(group)?;
        let tail = read_tail(group, &recovered, applied, &mut *self.store)?;
        let discards = read_discards(&mut *self.store, group, &recovered)?;
        Ok(LogContents {
            recovered,
            tail,
            discards,
        })
    }

    /// Prepares the next segment in small steps, between bursts.
    fn prepare(&mut self, ctx: &mut Context<Self>) {
        if self.failed.is_some() {
            return;
        }
        match self.store.maintain() {
            Ok(true) => {
                ctx.notify(Kick);
            }
            Ok(false) => {}
            Err(error) if *error.kind() == ErrorKind::StorageFull => {}
            Err(error) => self.fail(error),
        }
    }
}

impl Actor for LogActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        use actix::ActorContext as _;
        let _ = ctx.state();
        ctx.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
        self.edge.connect(ctx.address().recipient());
    }
}

impl Handler<Kick> for LogActor {
    type Result = ();

    fn handle(&mut self, _: Kick, ctx: &mut Self::Context) {
        self.turn(ctx);
    }
}

impl Handler<FlushAndStop> for LogActor {
    type Result = MessageResult<FlushAndStop>;

    fn handle(&mut self, _: FlushAndStop, ctx: &mut Self::Context) -> Self::Result {
        use actix::ActorContext as _;
        self.turn(ctx);
        let result = match self.failed.take() {
            Some(error) => Err(error),
            None => self.store.sync().and_then(|()| self.store.seal()),
        };
        ctx.stop();
        MessageResult(result)
    }
}
