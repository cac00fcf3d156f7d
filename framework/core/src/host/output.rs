//! What a host wants done by whoever drives it.

use crate::{
    Conflict, EntryId, GroupLogOp, LogRead, LogSeq, NodeId, Reply, SnapshotHeader, SnapshotOrder,
    Telemetry, Ticket, TimerOrder,
};

use super::Job;

/// A part of a snapshot under construction, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPiece {
    /// A new snapshot of this position begins; an unfinished one before it is void.
    Begin(EntryId),
    /// The next chunk.
    Chunk(bytes::Bytes),
    /// It is complete. Once it is durable, tell the host
    /// ([`checkpointed`](super::Host::checkpointed)).
    Finished(SnapshotHeader),
}

/// What a host wants done, in the order of the fields. The driver drains every lane.
#[derive(Clone, Debug)]
pub struct HostOutput<M> {
    /// Log operations; they reach the log in this order.
    pub log: Vec<GroupLogOp>,
    /// The sequence number of the last of them.
    pub log_seq: LogSeq,
    /// Jobs for an engine that is executed elsewhere, in order.
    pub jobs: Vec<Job>,
    /// Messages to peers.
    pub sends: Vec<(NodeId, M)>,
    /// Replies to clients.
    pub replies: Vec<Reply>,
    /// Reads of the log.
    pub log_reads: Vec<LogRead>,
    /// Conflicts for the Resolver.
    pub resolves: Vec<(Ticket, Conflict)>,
    /// Timers.
    pub timers: Vec<TimerOrder>,
    /// Wishes about snapshots.
    pub snapshots: Vec<SnapshotOrder>,
    /// Parts of a snapshot under construction.
    pub pieces: Vec<SnapshotPiece>,
    /// Telemetry.
    pub telemetry: Vec<Telemetry>,
}

impl<M> Default for HostOutput<M> {
    fn default() -> Self {
        Self {
            log: Vec::new(),
            log_seq: LogSeq(0),
            jobs: Vec::new(),
            sends: Vec::new(),
            replies: Vec::new(),
            log_reads: Vec::new(),
            resolves: Vec::new(),
            timers: Vec::new(),
            snapshots: Vec::new(),
            pieces: Vec::new(),
            telemetry: Vec::new(),
        }
    }
}

impl<M> HostOutput<M> {
    /// Moves every lane to the end of the same lane of `to`.
    pub fn append_to(&mut self, to: &mut Self) {
        pass_on(&mut self.log, &mut to.log);
        to.log_seq = self.log_seq;
        pass_on(&mut self.jobs, &mut to.jobs);
        pass_on(&mut self.sends, &mut to.sends);
        pass_on(&mut self.replies, &mut to.replies);
        pass_on(&mut self.log_reads, &mut to.log_reads);
        pass_on(&mut self.resolves, &mut to.resolves);
        pass_on(&mut self.timers, &mut to.timers);
        pass_on(&mut self.snapshots, &mut to.snapshots);
        pass_on(&mut self.pieces, &mut to.pieces);
        pass_on(&mut self.telemetry, &mut to.telemetry);
    }
}

/// Moves a lane on. Most lanes are empty most of the time.
pub(super) fn pass_on<T>(from: &mut Vec<T>, to: &mut Vec<T>) {
    if from.is_empty() {
        return;
    }
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}
