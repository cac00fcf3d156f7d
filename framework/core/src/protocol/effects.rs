//! What a protocol wants done: plain buffers, reused between steps, easy to record and replay.

use std::time::Duration;

use bytes::Bytes;

use super::TimerKey;
use crate::{
    Conflict, Entry, EntryId, Error, LogOp, LogSeq, Lsn, Mono, NodeId, ProposalId, StreamId, Ticket,
};

/// What became of proposals.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// The proposal's first record stands there in the log.
    Placed {
        /// The proposal.
        proposal: ProposalId,
        /// Its first record.
        first: EntryId,
    },
    /// Every placed proposal up to and including this one is done as promised.
    Acked {
        /// The last proposal that is done.
        through: ProposalId,
        /// Replicas that hold it, the leader included.
        copies: u8,
    },
    /// The proposal was not placed and never will be.
    Refused {
        /// The proposal.
        proposal: ProposalId,
        /// Why.
        error: Box<Error>,
    },
    /// Every placed proposal from this one on may or may not survive.
    Unknown {
        /// The first of them.
        from: ProposalId,
        /// Why.
        error: Box<Error>,
    },
}

/// Whether a read may be answered here.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadVerdict {
    /// Yes, once the engine has applied everything up to `at`.
    ServeAt {
        /// Which read.
        ticket: Ticket,
        /// The position to wait for.
        at: Lsn,
    },
    /// No.
    Refused {
        /// Which read.
        ticket: Ticket,
        /// Why, and where to go.
        error: Box<Error>,
    },
}

/// Whether a replica takes writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Yes: everything ordered before its authority began has been applied, so the dedup table is
    /// complete and evaluations see all of the past.
    Open,
    /// Not for a moment: requests wait, while what was taken in goes its way. The replica goes on
    /// ordering writes after that, or another one does.
    Paused,
    /// Soon: requests wait, until their deadline.
    #[default]
    Wait,
    /// No: another node does.
    Closed {
        /// Which, as far as it knows.
        leader: Option<NodeId>,
    },
}

impl Admission {
    /// Whether this replica orders writes.
    pub const fn orders(self) -> bool {
        matches!(self, Self::Open | Self::Paused)
    }
}

/// A wish to read entries back from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// Named in the answer.
    pub ticket: Ticket,
    /// The stream.
    pub stream: StreamId,
    /// The first record wanted.
    pub from: Lsn,
    /// About how many bytes are wanted.
    pub bytes_max: usize,
}

/// A wish to set (or, with `None`, to clear) a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerOrder {
    /// The timer's number.
    pub key: u64,
    /// When it passes.
    pub at: Option<Mono>,
}

/// A wish about snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotOrder {
    /// Send one to a peer that is behind the log. Ordering it again while it is under way is
    /// harmless.
    Send {
        /// The peer.
        to: NodeId,
        /// The log starts after this record: an older snapshot leaves a hole before it. Zero when
        /// any will do.
        base: Lsn,
    },
    /// Ask a peer for one: the local state is ahead of, or cannot be joined to, its history.
    Fetch {
        /// The peer.
        from: NodeId,
    },
}

/// Something worth counting or logging. Never needed for correctness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// A stable name, `noun-verb`.
    pub name: &'static str,
    /// A number that belongs to it.
    pub value: u64,
}

/// What a protocol wants done. `M` is its message type.
///
/// The driver performs the lanes in this order: log, frontier, apply, sends, fates, reads, the
/// rest. A fate never precedes the durability that justified it, because the protocol emits it
/// only then.
#[derive(Clone, Debug)]
pub struct Effects<M> {
    /// Messages to peers.
    pub sends: Vec<(NodeId, M)>,
    /// Log operations, in order.
    pub log: Vec<LogOp>,
    /// The protocol's own bytes, to be stored with the next applied entry.
    pub frontier: Option<Bytes>,
    /// Entries to apply, in order, without holes.
    pub apply: Vec<Entry>,
    /// What became of proposals.
    pub fates: Vec<Fate>,
    /// Verdicts on reads.
    pub reads: Vec<ReadVerdict>,
    /// Entries wanted back from the log.
    pub log_reads: Vec<LogRead>,
    /// Conflicts for the Resolver.
    pub resolves: Vec<(Ticket, Conflict)>,
    /// Timers.
    pub timers: Vec<TimerOrder>,
    /// Snapshots.
    pub snapshots: Vec<SnapshotOrder>,
    /// Telemetry.
    pub telemetry: Vec<Telemetry>,
    /// Whether the replica takes writes from now on; `None` when that did not change. A replica
    /// starts with [`Admission::Wait`].
    pub admission: Option<Admission>,
    log_seq: LogSeq,
    ticket: u64,
}

impl<M> Default for Effects<M> {
    fn default() -> Self {
        Self {
            sends: Vec::new(),
            log: Vec::new(),
            frontier: None,
            apply: Vec::new(),
            fates: Vec::new(),
            reads: Vec::new(),
            log_reads: Vec::new(),
            resolves: Vec::new(),
            timers: Vec::new(),
            snapshots: Vec::new(),
            telemetry: Vec::new(),
            admission: None,
            log_seq: LogSeq(0),
            ticket: 0,
        }
    }
}

impl<M> Effects<M> {
    /// Sends a message to a peer.
    pub fn send(&mut self, to: NodeId, message: M) {
        self.sends.push((to, message));
    }

    /// Adds a log operation; returns the number under which its durability is reported.
    pub fn log(&mut self, op: LogOp) -> LogSeq {
        self.log_seq = self.log_seq.next();
        self.log.push(op);
        self.log_seq
    }

    /// The number of the last log operation so far.
    pub const fn last_log_seq(&self) -> LogSeq {
        self.log_seq
    }

    /// Sets a timer, replacing an earlier setting.
    pub fn set_timer(&mut self, timer: impl TimerKey, at: Mono) {
        self.timers.push(TimerOrder {
            key: timer.to_key(),
            at: Some(at),
        });
    }

    /// Sets a timer `span` after `now`.
    pub fn set_timer_in(&mut self, timer: impl TimerKey, now: Mono, span: Duration) {
        self.set_timer(timer, now.after(span));
    }

    /// Clears a timer.
    pub fn clear_timer(&mut self, timer: impl TimerKey) {
        self.timers.push(TimerOrder {
            key: timer.to_key(),
            at: None,
        });
    }

    /// A ticket not used before.
    pub fn next_ticket(&mut self) -> Ticket {
        self.ticket += 1;
        Ticket(self.ticket)
    }

    /// Counts something.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.telemetry.push(Telemetry { name, value });
    }

    /// Whether no lane holds anything.
    pub fn is_empty(&self) -> bool {
        self.sends.is_empty()
            && self.log.is_empty()
            && self.frontier.is_none()
            && self.apply.is_empty()
            && self.fates.is_empty()
            && self.reads.is_empty()
            && self.log_reads.is_empty()
            && self.resolves.is_empty()
            && self.timers.is_empty()
            && self.snapshots.is_empty()
            && self.telemetry.is_empty()
            && self.admission.is_none()
    }

    /// Drops what a panicking step left behind. Sequence numbers go on.
    pub fn discard(&mut self) {
        let (log_seq, ticket) = (self.log_seq, self.ticket);
        *self = Self {
            log_seq,
            ticket,
            ..Self::default()
        };
    }

    /// Moves every lane of `inner` to the end of this one's, turning messages with `encode`. Both
    /// sides must have seen the same log operations, so that their sequences agree.
    pub fn absorb<N>(&mut self, inner: &mut Effects<N>, encode: impl Fn(N) -> M) {
        self.sends.extend(
            inner
                .sends
                .drain(..)
                .map(|(to, message)| (to, encode(message))),
        );
        self.log.append(&mut inner.log);
        self.frontier = inner.frontier.take().or_else(|| self.frontier.take());
        self.apply.append(&mut inner.apply);
        self.fates.append(&mut inner.fates);
        self.reads.append(&mut inner.reads);
        self.log_reads.append(&mut inner.log_reads);
        self.resolves.append(&mut inner.resolves);
        self.timers.append(&mut inner.timers);
        self.snapshots.append(&mut inner.snapshots);
        self.telemetry.append(&mut inner.telemetry);
        self.admission = inner.admission.take().or(self.admission);
        self.log_seq = inner.log_seq;
        self.ticket = self.ticket.max(inner.ticket);
    }
}
