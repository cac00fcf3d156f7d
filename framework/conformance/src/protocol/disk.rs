//! A disk whose syncs the suite controls: a log of two streams, and the engine's snapshot file.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{
    Applied, DISCARDS, Entry, EntryId, LogOp, LogSeq, LogSlice, Lsn, RecoveredGroup,
    RecoveredStream, StreamId,
};

use super::engine::Engine;

/// What is on the medium, or would be if nothing were lost.
#[derive(Clone, Debug, Default)]
struct Image {
    hard_state: Bytes,
    log: Stream,
    discards: Stream,
    snapshot: Engine,
}

/// One stream of the log.
#[derive(Clone, Debug, Default)]
struct Stream {
    base: EntryId,
    checkpoint: EntryId,
    entries: Vec<Entry>,
}

impl Stream {
    fn last(&self) -> EntryId {
        self.entries.last().map_or(self.base, Entry::last)
    }

    fn append(&mut self, entry: &Entry) {
        let next = self.last().lsn.next();
        assert_eq!(entry.first, next, "an append leaves a hole in the log");
        self.entries.push(entry.clone());
    }

    fn truncate(&mut self, last: Lsn) {
        self.entries.retain(|entry| entry.last_lsn() <= last);
        let end = self.last().lsn;
        assert_eq!(end, last, "a truncation does not end where an entry does");
    }

    fn trim(&mut self, upto: EntryId) {
        self.checkpoint = upto;
        let is_covered = |entry: &Entry| entry.last_lsn() <= upto.lsn;
        let covered = self.entries.partition_point(is_covered);
        if let Some(base) = self.entries.drain(..covered).next_back() {
            self.base = base.last();
        }
    }

    fn reset(&mut self, base: EntryId) {
        self.entries.clear();
        (self.base, self.checkpoint) = (base, base);
    }

    const fn recovered(&self, last: EntryId) -> RecoveredStream {
        RecoveredStream {
            base: self.base,
            last,
            checkpoint: self.checkpoint,
        }
    }
}

impl Image {
    fn stream(&mut self, stream: StreamId) -> &mut Stream {
        if stream == DISCARDS {
            &mut self.discards
        } else {
            &mut self.log
        }
    }

    fn write(&mut self, op: &LogOp) {
        match op {
            LogOp::Append { stream, entry } => self.stream(*stream).append(entry),
            LogOp::Truncate { stream, last } => self.stream(*stream).truncate(*last),
            LogOp::HardState(bytes) => self.hard_state = bytes.clone(),
            LogOp::Repaired => {}
            LogOp::Checkpoint { stream, upto } => self.stream(*stream).trim(*upto),
            LogOp::Reset { stream, base } => self.stream(*stream).reset(*base),
        }
    }
}

/// A log whose operations become durable when the suite says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    live: Image,
    durable: Image,
    unsynced: Vec<(LogSeq, LogOp)>,
}

impl Disk {
    pub(super) fn write(&mut self, first: LogSeq, ops: Vec<LogOp>) {
        for (seq, op) in (first.0..).map(LogSeq).zip(ops) {
            self.live.write(&op);
            self.unsynced.push((seq, op));
        }
    }

    pub(super) const fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Syncs the first `count` operations; returns the last of them.
    pub(super) fn sync(&mut self, count: usize) -> Option<LogSeq> {
        let mut last = None;
        for (seq, op) in self.unsynced.drain(..count.min(self.unsynced.len())) {
            self.durable.write(&op);
            last = Some(seq);
        }
        last
    }

    /// A power cut: of what was not synced, the first `survive` operations are there afterwards.
    pub(super) fn lose_power(&mut self, survive: usize) {
        self.sync(survive);
        self.unsynced.clear();
        self.live = self.durable.clone();
    }

    /// Makes the engine's snapshot file; it is synced before anything is said about it.
    pub(super) fn store_snapshot(&mut self, engine: &Engine) {
        self.live.snapshot = engine.clone();
        self.durable.snapshot = engine.clone();
    }

    pub(super) fn snapshot(&self) -> Engine {
        self.durable.snapshot.clone()
    }

    /// Whether the medium holds the record that was given out as `position`, in the log or below
    /// its base.
    pub(super) fn holds(&self, position: EntryId) -> bool {
        let log = &self.durable.log;
        let behind = |entry: &Entry| entry.last_lsn() < position.lsn;
        let entry = log.entries.get(log.entries.partition_point(behind));
        let is_it = |entry: &Entry| entry.epoch == position.epoch && entry.first <= position.lsn;
        position.lsn <= log.base.lsn || entry.is_some_and(is_it)
    }

    pub(super) fn recovered(&self) -> RecoveredGroup {
        let Image { log, discards, .. } = &self.durable;
        let streams = [
            (StreamId(0), log.recovered(log.last())),
            (DISCARDS, discards.recovered(discards.last())),
        ];
        RecoveredGroup {
            hard_state: self.durable.hard_state.clone(),
            streams: BTreeMap::from(streams),
            damaged: false,
        }
    }

    /// The stream of discarded writes.
    pub(super) fn discards(&self) -> Vec<Entry> {
        self.durable.discards.entries.clone()
    }

    /// The log's entries.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.durable.log.entries.clone()
    }

    pub(super) fn read(&self, from: Lsn, bytes_max: usize) -> LogSlice {
        let log = &self.live.log;
        if from <= log.base.lsn {
            return LogSlice::Trimmed { base: log.base };
        }
        let mut bytes = 0;
        let wanted = log.entries.iter().filter(|entry| entry.last_lsn() >= from);
        let fits = |entry: &&Entry| {
            let is_first = bytes == 0;
            bytes += entry.body.len().max(1);
            is_first || bytes <= bytes_max
        };
        LogSlice::Entries(wanted.take_while(fits).cloned().collect())
    }
}

impl Engine {
    /// How far it goes.
    pub(super) fn applied(&self) -> Applied {
        Applied {
            lsn: self.position.lsn,
            frontier: self.frontier.clone(),
        }
    }
}
