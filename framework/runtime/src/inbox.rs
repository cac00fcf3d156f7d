//! The Node actor's inbox: one lane per kind of news, drained in one turn.

use actix::Recipient;
use parking_lot::Mutex;
use repertoire_core::{
    Delivery, Error, GroupId, InstanceGen, JobResult, LinkEvent, LogSlice, ReadRequest, Ticket,
    WriteRequest,
};

use crate::actors::node::{Control, LogContents, TracedRequest};
use crate::edge::{Kick, Waker};
use crate::snapshots::SnapshotNews;

/// The answer to a log read.
#[derive(Debug)]
pub(crate) struct LogReadDone {
    /// The replica that asked.
    pub group: GroupId,
    /// Its boot.
    pub instance: InstanceGen,
    /// Its ticket.
    pub ticket: Ticket,
    /// What was found.
    pub slice: Result<LogSlice, Error>,
}

/// What the log holds of a replica that is built anew.
#[derive(Debug)]
pub(crate) struct RecoverDone {
    /// The replica.
    pub group: GroupId,
    /// The boot that waits for it.
    pub instance: InstanceGen,
    /// What was found.
    pub contents: Result<LogContents, Error>,
}

/// The answer of a storage or resolver job.
#[derive(Debug)]
pub(crate) enum JobNews {
    /// An engine job was executed.
    Engine {
        /// The replica that asked.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// What became of it.
        result: JobResult,
    },
    /// A conflict was resolved, or not.
    Resolved {
        /// The replica that asked.
        group: GroupId,
        /// Its boot.
        instance: InstanceGen,
        /// Its ticket.
        ticket: Ticket,
        /// The resolved value.
        value: Option<bytes::Bytes>,
    },
}

/// Everything that can be in the inbox.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Writes of clients.
    pub writes: Vec<(GroupId, WriteRequest)>,
    /// Reads of clients.
    pub reads: Vec<(GroupId, ReadRequest)>,
    /// Which of them belong to traces.
    pub traced: Vec<TracedRequest>,
    /// Frames of peers.
    pub deliveries: Vec<Delivery>,
    /// Bursts that became durable; the highest counts.
    pub durable: Option<u64>,
    /// The log was full, or has room again.
    pub log_full: Option<bool>,
    /// Answers of log reads.
    pub log_reads: Vec<LogReadDone>,
    /// What replicas are built anew from.
    pub recovered: Vec<RecoverDone>,
    /// News of links.
    pub links: Vec<LinkEvent>,
    /// Answers of jobs.
    pub jobs: Vec<JobNews>,
    /// News of snapshots.
    pub snapshots: Vec<SnapshotNews>,
    /// Requests of the runtime itself.
    pub controls: Vec<Control>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    lanes: Mutex<Drained>,
    waker: Waker,
}

impl Inbox {
    /// Names the Node actor.
    pub(crate) fn connect(&self, recipient: Recipient<Kick>) {
        self.waker.connect(recipient);
    }

    /// Puts something in, and wakes the actor.
    pub(crate) fn put(&self, put: impl FnOnce(&mut Drained)) {
        put(&mut self.lanes.lock());
        self.waker.wake();
    }

    /// Wakes the actor for another turn, as soon as the present one has ended.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Takes everything. `into` must be empty; its memory is reused.
    pub(crate) fn take(&self, into: &mut Drained) {
        self.waker.awake();
        std::mem::swap(&mut *self.lanes.lock(), into);
    }
}
