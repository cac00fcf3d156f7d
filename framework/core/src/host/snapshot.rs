//! Making snapshots while writes go on.
//!
//! The engine fixes its state; the host adds what it keeps of the replicated space itself. Rows are
//! read in steps, so that no step holds the node up, and leave as pieces for a file. The same file
//! is this replica's checkpoint and what peers are sent.

use bytes::Bytes;

use super::{Host, Job, SnapshotPiece};
use crate::sabotage::{Bug, planted};
use crate::{EntryId, FormatTag, Input, Machine, Now, SnapshotChunk, SnapshotHeader, Space};

/// About how many bytes a chunk holds, unless the driver says otherwise.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct SnapshotInProgress {
    header: SnapshotHeader,
    /// A read was asked for and not answered yet.
    reading: bool,
    finished: bool,
}

impl<M: Machine> Host<M> {
    /// Whether enough was applied since the last snapshot, which is durable, to make a new one.
    pub fn is_checkpoint_due(&self) -> bool {
        self.pace.is_due(&self.descriptor.options)
    }

    /// Whether writes or acknowledgements wait for a checkpoint: the log would take more than its
    /// retention if it went on growing.
    pub fn is_held_up(&self) -> bool {
        let options = &self.descriptor.options;
        if self.admission.orders() {
            self.pace.holds_writes(options, self.admitted)
        } else {
            self.pace.holds_acks(options)
        }
    }

    /// Whether a snapshot is being made.
    pub const fn is_snapshotting(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Makes chunks of about so many bytes from now on: for drivers whose states are small, so that
    /// transfers have more than one.
    pub fn set_snapshot_chunk_bytes(&mut self, bytes: usize) {
        self.chunk_bytes = bytes.clamp(1, crate::limits::SNAPSHOT_CHUNK_MAX);
    }

    /// Begins a snapshot of the present state, unless one is being made.
    pub fn begin_snapshot(&mut self, now: Now, format: FormatTag) {
        if self.snapshot.is_some() || self.failed.is_some() {
            return;
        }
        let chunk_bytes = self.chunk_bytes;
        let mut first = SnapshotChunk::new();
        let mut chunks = Vec::new();
        if !planted(Bug::SnapshotForgetsDedup) {
            self.dedup.export(&mut |key, value| {
                first.push(Space::Replicated, key, value);
                if first.len() >= chunk_bytes {
                    chunks.push(first.take());
                }
            });
        }
        if !first.is_empty() {
            chunks.push(first.take());
        }
        let forgets = planted(Bug::SnapshotForgetsFrontier);
        let frontier = if forgets {
            Bytes::new()
        } else {
            self.frontier.clone()
        };
        let header = SnapshotHeader {
            group: self.group,
            config_epoch: self.descriptor.config_epoch,
            position: self.applied,
            feature_level: self.descriptor.feature_level,
            format,
            frontier,
            chunks: Vec::new(),
            bytes: 0,
        };
        self.pace.begun(header.position);
        self.out.pieces.push(SnapshotPiece::Begin(header.position));
        self.snapshot = Some(SnapshotInProgress {
            header,
            reading: false,
            finished: false,
        });
        for chunk in chunks {
            self.push_chunk(chunk);
        }
        self.dispatch(now, Job::SnapshotBegin);
    }

    /// Reads the next part of the snapshot being made, if the last one has arrived.
    pub fn continue_snapshot(&mut self, now: Now) {
        let Some(snapshot) = &mut self.snapshot else {
            return;
        };
        if !snapshot.reading {
            snapshot.reading = true;
            let bytes = self.chunk_bytes;
            self.dispatch(now, Job::SnapshotRead(bytes));
        }
    }

    /// A snapshot of that position is durable here.
    pub fn checkpointed(&mut self, now: Now, position: EntryId) {
        self.pace.durable(position);
        self.machine
            .step(now, Input::Checkpointed(position), &mut self.fx);
    }

    /// A snapshot could not be stored: the next one may begin.
    pub const fn checkpoint_failed(&mut self) {
        if self.snapshot.is_none() {
            self.pace.failed();
        }
    }

    pub(super) fn take_snapshot_rows(&mut self, rows: Bytes, more: bool) {
        if self.snapshot.is_none() {
            return;
        }
        if !rows.is_empty() {
            self.push_chunk(rows);
        }
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.reading = false;
            snapshot.finished = !more;
        }
        if let Some(done) = self.snapshot.take_if(|snapshot| snapshot.finished) {
            self.pace.finished(done.header.bytes);
            self.out.pieces.push(SnapshotPiece::Finished(done.header));
        }
    }

    fn push_chunk(&mut self, chunk: Bytes) {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.header.chunks.push(crc32c::crc32c(&chunk));
            snapshot.header.bytes += chunk.len() as u64;
            self.pace.read(chunk.len() as u64);
            self.out.pieces.push(SnapshotPiece::Chunk(chunk));
        }
    }
}
