//! A disk whose syncs the test controls: a log, and the engine's snapshot file.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{
    Applied, DISCARDS, Entry, EntryId, LogOp, LogSeq, LogSlice, Lsn, RecoveredGroup,
    RecoveredStream, StreamId,
};

/// What an engine holds: every applied entry by the LSN of its first record, so that tests can
/// compare histories and not only states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) position: EntryId,
    pub(crate) frontier: Bytes,
    pub(crate) history: Vec<(EntryId, Bytes)>,
}

impl Engine {
    pub(crate) fn apply(&mut self, entries: Vec<Entry>, frontier: Option<Bytes>) {
        for entry in entries {
            assert_eq!(
                entry.first,
                self.position.lsn.next(),
                "applied in order, without holes"
            );
            self.position = entry.last();
            self.history.push((entry.last(), entry.body));
        }
        self.frontier = frontier.unwrap_or_else(|| self.frontier.clone());
    }

    pub(crate) fn applied(&self) -> Applied {
        Applied {
            lsn: self.position.lsn,
            frontier: self.frontier.clone(),
        }
    }
}

/// What is on the medium, or would be if nothing were lost.
#[derive(Clone, Debug, Default)]
struct Image {
    hard_state: Bytes,
    base: EntryId,
    checkpoint: EntryId,
    entries: Vec<Entry>,
    /// The other stream, and where it ends.
    discards: Vec<Entry>,
    discards_last: Lsn,
    snapshot: Engine,
}

impl Image {
    fn last(&self) -> EntryId {
        self.entries.last().map_or(self.base, Entry::last)
    }

    fn write(&mut self, op: &LogOp) {
        match op {
            LogOp::Append { stream, entry } if *stream == DISCARDS => {
                assert_eq!(
                    entry.first,
                    self.discards_last.next(),
                    "no holes here either"
                );
                self.discards_last = entry.last_lsn();
                self.discards.push(entry.clone());
            }
            LogOp::Reset { stream, base } if *stream == DISCARDS => {
                self.discards.clear();
                self.discards_last = base.lsn;
            }
            LogOp::Append { entry, .. } => {
                assert_eq!(entry.first, self.last().lsn.next(), "the log has no holes");
                self.entries.push(entry.clone());
            }
            LogOp::Truncate { last, .. } => {
                self.entries.retain(|entry| entry.last_lsn() <= *last);
                assert_eq!(self.last().lsn, *last, "truncated at an entry's end");
            }
            LogOp::HardState(bytes) => self.hard_state = bytes.clone(),
            LogOp::Repaired => {}
            LogOp::Checkpoint { upto, .. } => {
                self.checkpoint = *upto;
                while self
                    .entries
                    .first()
                    .is_some_and(|entry| entry.last_lsn() <= upto.lsn)
                {
                    self.base = self.entries.remove(0).last();
                }
            }
            LogOp::Reset { base, .. } => {
                self.entries.clear();
                (self.base, self.checkpoint) = (*base, *base);
            }
        }
    }
}

/// A log whose operations become durable when the test says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    live: Image,
    durable: Image,
    unsynced: Vec<(LogSeq, LogOp)>,
}

impl Disk {
    pub(crate) fn write(&mut self, first: LogSeq, ops: Vec<LogOp>) {
        for (seq, op) in (first.0..).map(LogSeq).zip(ops) {
            self.live.write(&op);
            self.unsynced.push((seq, op));
        }
    }

    /// Syncs everything written; returns the last operation.
    pub(crate) fn sync(&mut self) -> Option<LogSeq> {
        let last = self.unsynced.last().map(|(seq, _)| *seq);
        self.sync_first(self.unsynced.len());
        last
    }

    /// Syncs the first `count` operations.
    pub(crate) fn sync_first(&mut self, count: usize) -> Option<LogSeq> {
        let mut last = None;
        for (seq, op) in self.unsynced.drain(..count.min(self.unsynced.len())) {
            self.durable.write(&op);
            last = Some(seq);
        }
        last
    }

    pub(crate) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// A power cut: of what was not synced, the first `torn` operations survive.
    pub(crate) fn lose_power(&mut self, torn: usize) {
        self.sync_first(torn);
        self.unsynced.clear();
        self.live = self.durable.clone();
    }

    /// The end of the process: the operating system still writes what it was given.
    pub(crate) fn lose_process(&mut self) {
        self.sync();
    }

    /// Drops entries from the durable end of the log: what a disk that lies about syncs does.
    pub(crate) fn forget_tail(&mut self, entries: usize) {
        self.lose_power(usize::MAX);
        let keep = self.durable.entries.len().saturating_sub(entries);
        self.durable.entries.truncate(keep);
        self.live = self.durable.clone();
    }

    /// Makes the engine's snapshot file; it is synced before anything is said about it.
    pub(crate) fn store_snapshot(&mut self, engine: &Engine) {
        self.live.snapshot = engine.clone();
        self.durable.snapshot = engine.clone();
    }

    pub(crate) fn snapshot(&self) -> Engine {
        self.durable.snapshot.clone()
    }

    /// Whether the medium holds the record that was given out as `position`, in the log or below
    /// its base.
    pub(crate) fn holds(&self, position: EntryId) -> bool {
        let holds = |entry: &Entry| {
            entry.epoch == position.epoch
                && (entry.first..=entry.last_lsn()).contains(&position.lsn)
        };
        position.lsn <= self.durable.base.lsn || self.durable.entries.iter().any(holds)
    }

    pub(crate) fn recovered(&self) -> RecoveredGroup {
        let image = &self.durable;
        let stream = RecoveredStream {
            base: image.base,
            last: image.last(),
            checkpoint: image.checkpoint,
        };
        RecoveredGroup {
            hard_state: image.hard_state.clone(),
            streams: BTreeMap::from([(StreamId(0), stream), (DISCARDS, self.discards_extent())]),
            damaged: false,
        }
    }

    fn discards_extent(&self) -> RecoveredStream {
        let first = self.durable.discards.first();
        let last = self.durable.discards_last;
        let base = first.map_or(last, |entry| Lsn(entry.first.0 - 1));
        let at = |lsn| EntryId {
            lsn,
            ..EntryId::ZERO
        };
        RecoveredStream {
            base: at(base),
            last: at(last),
            checkpoint: at(base),
        }
    }

    /// The stream of discarded writes.
    pub(crate) fn discards(&self) -> Vec<Entry> {
        self.durable.discards.clone()
    }

    pub(crate) fn tail(&self) -> Vec<Entry> {
        self.durable.entries.clone()
    }

    pub(crate) fn read(&self, from: Lsn, bytes_max: usize) -> LogSlice {
        if from <= self.live.base.lsn {
            return LogSlice::Trimmed {
                base: self.live.base,
            };
        }
        let mut bytes = 0;
        let wanted = self
            .live
            .entries
            .iter()
            .filter(|entry| entry.last_lsn() >= from);
        let fits = |entry: &&Entry| {
            let is_first = bytes == 0;
            bytes += entry.body.len().max(1);
            is_first || bytes <= bytes_max
        };
        LogSlice::Entries(wanted.take_while(fits).cloned().collect())
    }
}
