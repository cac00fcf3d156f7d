//! One replica, complete but for I/O: pipeline, protocol and engine, driven by inputs.
//!
//! A host is what the node's actor and the simulator both drive. They hand it inputs, call
//! [`flush`](Host::flush) once per drained batch, and carry out what [`HostOutput`] asks for. A host
//! never blocks and never waits; the storage engine is either called in place (inline) or through
//! [`Job`]s that somebody else executes in order.

mod apply;
mod backlog;
mod discards;
mod executor;
mod inline;
mod install;
mod members;
mod output;
mod pace;
mod perform;
mod reads;
mod snapshot;

pub use executor::{Executor, Job, JobResult, ReplayedEntry};
pub use install::{LoadedState, load_snapshot};
pub use output::{HostOutput, SnapshotPiece};

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::{APPLY_BACKLOG_MAX, UNACKED_BYTES_MAX};
use crate::{
    Admission, Applied, Appointment, Boot, DedupTable, Descriptor, Effects, Entry, EntryId, Error,
    ErrorKind, GroupId, Incarnation, Input, InstanceGen, LogSeq, LogSlice, Machine, Mono, NodeId,
    Now, Outcome, PeerEvent, Pipeline, Promotion, ReadRequest, RecoveredGroup, Registry, Reply,
    Status, Ticket, Vitals, WriteOutcome, WriteRequest,
};
use backlog::Backlog;
use inline::Inline;
use pace::Pace;
use reads::ReadDesk;
use snapshot::SnapshotInProgress;

/// Most writes taken in by one flush: a few milliseconds of work.
const ADMITTED_MAX: usize = 512;

/// What a host is made from.
#[derive(Debug)]
pub struct HostBoot<'a> {
    /// The group.
    pub group: GroupId,
    /// Its descriptor.
    pub descriptor: Arc<Descriptor>,
    /// This node.
    pub me: NodeId,
    /// This node's disk.
    pub incarnation: Incarnation,
    /// This boot.
    pub instance: InstanceGen,
    /// The present.
    pub now: Now,
    /// Seed for jitter.
    pub seed: u64,
    /// What the log held.
    pub log: &'a RecoveredGroup,
    /// The log's entries after the engine's position, and as many before it as are worth keeping.
    pub tail: Vec<Entry>,
    /// The stream of [discarded writes](crate::discards).
    pub discards: Vec<Entry>,
    /// How far the engine's state goes.
    pub applied: Applied,
    /// The last record that the engine's state covers.
    pub position: EntryId,
    /// The dedup table at that position.
    pub dedup: DedupTable,
    /// The plug-ins.
    pub registry: Arc<Registry>,
}

/// One replica. `M` is a typed protocol, or the erased machine.
#[allow(
    missing_debug_implementations,
    reason = "machines and engines have no debug form"
)]
pub struct Host<M: Machine> {
    group: GroupId,
    descriptor: Arc<Descriptor>,
    machine: M,
    fx: Effects<M::Message>,
    pipeline: Pipeline,
    admission: Admission,
    /// Requests that wait for admission.
    waiting: VecDeque<WriteRequest>,
    dedup: DedupTable,
    /// The last record handed to the engine.
    applied: EntryId,
    frontier: Bytes,
    /// The inline engine; `None` when jobs are executed elsewhere.
    inline: Option<Inline>,
    reads: ReadDesk,
    snapshot: Option<SnapshotInProgress>,
    /// About how many bytes a chunk of a snapshot holds.
    chunk_bytes: usize,
    out: HostOutput<M::Message>,
    /// How far checkpoints are behind.
    pace: Pace,
    /// Bytes of writes taken in since the last flush.
    admitted: u64,
    /// How many more writes the coming flush may take in.
    admissible: usize,
    /// Durable, but the protocol is not told before the checkpoint being made has come further.
    held_durable: Option<LogSeq>,
    /// The machine has asked a peer for a snapshot, because its state is wrong.
    awaits_snapshot: bool,
    /// What the engine was handed and has not applied.
    backlog: Backlog,
    failed: Option<Error>,
}

impl<M: Machine> Host<M> {
    /// Starts a replica. `engine` is `None` when jobs are executed elsewhere.
    ///
    /// # Errors
    /// Those of the protocol's boot, and `ConfigInvalid` for an unknown log format.
    pub fn boot(
        boot: HostBoot<'_>,
        engine: Option<Executor>,
        machine: impl FnOnce(Boot<'_>, &mut Effects<M::Message>) -> Result<M, Error>,
    ) -> Result<Self, Error> {
        let format = boot.registry.get_format(&boot.descriptor.log_format.name)?;
        let options = boot.descriptor.options.clone();
        let (registry, format) = (Arc::clone(&boot.registry), Arc::clone(format));
        let mut pipeline = Pipeline::new(boot.group, options, registry, format)
            .owning(&boot.descriptor.placement.slots);
        for entry in &boot.tail {
            pipeline.saw_wall(entry.wall);
        }
        let mut fx = Effects::default();
        let machine = machine(
            Boot {
                group: boot.group,
                descriptor: Arc::clone(&boot.descriptor),
                me: boot.me,
                incarnation: boot.incarnation,
                instance: boot.instance,
                now: boot.now,
                seed: boot.seed,
                log: boot.log,
                tail: boot.tail,
                discards: boot.discards,
                applied: &boot.applied,
            },
            &mut fx,
        )?;
        let mut host = Self {
            group: boot.group,
            descriptor: boot.descriptor,
            machine,
            fx,
            pipeline,
            admission: Admission::Wait,
            waiting: VecDeque::new(),
            dedup: boot.dedup,
            applied: boot.position,
            frontier: boot.applied.frontier,
            inline: engine.map(Inline::new),
            reads: ReadDesk::default(),
            snapshot: None,
            chunk_bytes: snapshot::CHUNK_BYTES,
            out: HostOutput::default(),
            pace: Pace::default(),
            admitted: 0,
            admissible: ADMITTED_MAX,
            held_durable: None,
            awaits_snapshot: false,
            backlog: Backlog::default(),
            failed: None,
        };
        host.settle_executed();
        host.flush(boot.now);
        Ok(host)
    }

    /// Takes a write in.
    pub fn submit(&mut self, now: Now, request: WriteRequest) {
        match self.admission {
            Admission::Open if self.backlog.bytes() >= APPLY_BACKLOG_MAX => {
                let error = Error::new(ErrorKind::Overloaded, "write")
                    .with("group", self.group)
                    .with("stage", "engine")
                    .with("behind_bytes", self.backlog.bytes());
                self.reply_failed(request.reply_to, error);
            }
            Admission::Open if self.pipeline.unacked_bytes() >= UNACKED_BYTES_MAX => {
                let error = Error::new(ErrorKind::Overloaded, "write")
                    .with("group", self.group)
                    .with("stage", "copies")
                    .with("unacked_bytes", self.pipeline.unacked_bytes());
                self.reply_failed(request.reply_to, error);
            }
            Admission::Open
                if self.admissible == 0 || !self.waiting.is_empty() || self.is_held_up() =>
            {
                self.waiting.push_back(request);
            }
            Admission::Open => {
                self.admissible -= 1;
                self.admitted += request.body.len() as u64;
                self.pipeline.submit(now, request, &self.dedup);
                // An inline engine answers at once: nothing is ever latched, so that a thousand
                // calls on one key cost what they cost on a thousand keys, in the order they came.
                if self.inline.is_some() {
                    self.fetch(now);
                }
            }
            Admission::Paused | Admission::Wait => self.waiting.push_back(request),
            Admission::Closed { leader } => {
                let error = Error::not_leader(leader, "write").with("group", self.group);
                self.reply_failed(request.reply_to, error);
            }
        }
    }

    /// Takes a read in.
    pub fn read(&mut self, now: Now, request: ReadRequest) {
        let ticket = self.fx.next_ticket();
        let level = request.level.clone();
        self.reads.open(ticket, request);
        self.machine.step(
            now,
            Input::Read {
                ticket,
                level: &level,
            },
            &mut self.fx,
        );
    }

    /// Takes a peer's message in.
    pub fn message(&mut self, now: Now, from: NodeId, message: M::Message) {
        self.machine
            .step(now, Input::Message { from, message }, &mut self.fx);
    }

    /// A timer has passed.
    pub fn timer(&mut self, now: Now, key: u64) {
        self.machine.step(now, Input::Timer(key), &mut self.fx);
    }

    /// Log operations up to `seq` have reached their medium. A follower whose checkpoint or engine is
    /// too far behind hears of it later: what it does not acknowledge stops its leader.
    pub fn durable(&mut self, now: Now, seq: LogSeq) {
        let is_behind = self.is_held_up() || self.backlog.bytes() >= APPLY_BACKLOG_MAX;
        if !self.admission.orders() && is_behind {
            self.held_durable = Some(seq);
            return;
        }
        self.held_durable = None;
        self.machine.step(now, Input::Durable(seq), &mut self.fx);
    }

    /// A log read was answered.
    pub fn log_read(&mut self, now: Now, ticket: Ticket, slice: LogSlice) {
        self.machine
            .step(now, Input::LogRead { ticket, slice }, &mut self.fx);
    }

    /// The Resolver has answered.
    pub fn resolved(&mut self, now: Now, ticket: Ticket, value: Option<Bytes>) {
        self.machine
            .step(now, Input::Resolved { ticket, value }, &mut self.fx);
    }

    /// The link to a peer changed.
    pub fn peer(&mut self, now: Now, peer: NodeId, event: PeerEvent) {
        self.machine
            .step(now, Input::Peer { peer, event }, &mut self.fx);
    }

    /// A snapshot ordered for a peer was taken over by it, or failed.
    pub fn snapshot_sent(&mut self, now: Now, to: NodeId, position: Option<EntryId>) {
        self.machine
            .step(now, Input::SnapshotSent { to, position }, &mut self.fx);
    }

    /// A job was executed elsewhere.
    pub fn job_done(&mut self, now: Now, result: JobResult) {
        self.take_result(now, result);
    }

    /// Somebody wants another replica to lead.
    ///
    /// # Errors
    /// Those of [`Protocol::transfer`](crate::Protocol::transfer).
    pub fn transfer(&mut self, now: Now, to: NodeId) -> Result<(), Error> {
        self.machine.transfer(now, to, &mut self.fx)
    }

    /// Somebody wants this replica to lead.
    ///
    /// # Errors
    /// Those of [`Protocol::promote`](crate::Protocol::promote).
    pub fn promote(&mut self, now: Now, promotion: Promotion) -> Result<Appointment, Error> {
        self.machine.promote(now, promotion, &mut self.fx)
    }

    /// Ends a drained batch: seals, lets the protocol coalesce, carries out what stays inside the
    /// host, and leaves the rest in [`output`](Self::output).
    pub fn flush(&mut self, now: Now) {
        loop {
            let mut proposals = self.pipeline.seal();
            if !proposals.is_empty() {
                self.machine
                    .step(now, Input::Propose(&mut proposals), &mut self.fx);
            }
            self.machine.flush(now, &mut self.fx);
            if !self.perform(now) {
                break;
            }
        }
        self.admissible = ADMITTED_MAX;
        if let Some(inline) = &mut self.inline {
            inline.end_turn();
        }
        self.pipeline.take_replies(&mut self.out.replies);
    }

    /// Whether another flush would go on with what this one left: one takes in and applies no more
    /// than is done in a few milliseconds, so that whoever drives this host can see to others in
    /// between.
    pub fn has_more(&self) -> bool {
        self.inline.as_ref().is_some_and(Inline::has_more) || self.admits_more()
    }

    /// Applies about so many records in one flush and leaves the rest to the next: for drivers whose
    /// states are small, so that what waits meets everything else.
    pub const fn set_share(&mut self, records: usize) {
        if let Some(inline) = &mut self.inline {
            inline.set_share(records);
        }
    }

    fn admits_more(&self) -> bool {
        !self.waiting.is_empty()
            && !matches!(self.admission, Admission::Paused | Admission::Wait)
            && !self.is_stopped_by_checkpoint()
    }

    /// Ends requests whose deadline has passed. Returns the next deadline.
    pub fn expire(&mut self, now: Now) -> Mono {
        let mut next = self.pipeline.expire(now.mono);
        next =
            next.min(
                self.reads
                    .expire(self.group, self.applied, now.mono, &mut self.out.replies),
            );
        let detail = match self.admission {
            Admission::Open => "the log waited for a checkpoint",
            Admission::Paused => "the leader was about to hand over",
            Admission::Wait | Admission::Closed { .. } => "no leader took writes in time",
        };
        // Each request is looked at once: one that is late is answered, another one queues again.
        for _ in 0..self.waiting.len() {
            let Some(request) = self.waiting.pop_front() else {
                break;
            };
            if request.deadline <= now.mono {
                let error = Error::new(ErrorKind::Timeout, "write")
                    .with_outcome(WriteOutcome::NotApplied)
                    .with("detail", detail);
                self.reply_failed(request.reply_to, error);
            } else {
                next = next.min(request.deadline);
                self.waiting.push_back(request);
            }
        }
        self.pipeline.take_replies(&mut self.out.replies);
        next
    }

    /// Ends every request under way, because the replica stops.
    pub fn abandon(&mut self, error: &Error) {
        for request in std::mem::take(&mut self.waiting) {
            self.reply_failed(request.reply_to, error.clone());
        }
        self.pipeline.abandon(error);
        self.reads.abandon(self.group, error, &mut self.out.replies);
        self.pipeline.take_replies(&mut self.out.replies);
    }

    /// What the host wants done.
    pub fn output(&mut self) -> &mut HostOutput<M::Message> {
        &mut self.out
    }

    /// What a person or a test may know of the replica.
    pub fn inspect(&self) -> Status {
        self.machine.inspect()
    }

    /// The numbers of it alone.
    pub fn vitals(&self) -> Vitals {
        self.machine.vitals()
    }

    /// The group.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// The descriptor in force.
    pub const fn descriptor(&self) -> &Arc<Descriptor> {
        &self.descriptor
    }

    /// Whether it takes writes.
    pub const fn admission(&self) -> Admission {
        self.admission
    }

    /// The last record handed to the engine.
    pub const fn applied(&self) -> EntryId {
        self.applied
    }

    /// The dedup table at that position.
    pub const fn dedup(&self) -> &DedupTable {
        &self.dedup
    }

    /// Bytes of entries that the engine was handed and has not applied.
    pub const fn apply_backlog_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    /// Writes that were taken in and not yet answered.
    pub fn writes_in_flight(&self) -> usize {
        self.waiting.len() + self.pipeline.in_flight()
    }

    /// Of those, the ones whose clients have given up and that may get their copies all the same.
    pub const fn writes_given_up(&self) -> usize {
        self.pipeline.given_up()
    }

    /// The inline engine, if there is one.
    pub fn engine(&self) -> Option<&dyn crate::StorageEngine> {
        self.inline.as_ref().map(Inline::engine)
    }

    /// Why the replica cannot go on, if so: its engine failed. It must be rebuilt.
    pub const fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    fn reply_failed(&mut self, to: crate::ReplyHandle, error: Error) {
        let outcome = Outcome::Failed(Box::new(error));
        self.out.replies.push(Reply {
            group: self.group,
            to,
            outcome,
        });
    }
}
