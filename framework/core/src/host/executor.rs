//! Doing engine jobs, in order: in place, or on another thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Answer, Applied, Cell, EngineError, Entry, EntryId, FormatError, FormatTag, LogFormat, Lsn,
    ReadQuery, RecordContext, RecordReader, Registry, Row, SnapshotChunk, Space, StateView,
    StorageEngine, Ticket, Wall, WriteBatch,
};

/// An entry to apply, with the records that were applied before under the same request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedEntry {
    /// The entry.
    pub entry: Entry,
    /// LSNs of records whose effects must be skipped.
    pub skip: Vec<Lsn>,
    /// The protocol's bytes to store with it.
    pub frontier: Bytes,
}

/// Work for an engine. Jobs of one replica are executed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Apply entries.
    Apply(Vec<ReplayedEntry>),
    /// Fetch cells for an evaluation.
    Fetch {
        /// Named in the answer.
        ticket: Ticket,
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// Answer a read. Expired values count as absent at `wall`.
    Query {
        /// Named in the answer.
        ticket: Ticket,
        /// What to read.
        query: ReadQuery,
        /// The time of the read.
        wall: Wall,
    },
    /// Fix a snapshot.
    SnapshotBegin,
    /// Read about that many bytes of it.
    SnapshotRead(usize),
    /// Give it up.
    SnapshotAbort,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// Applied up to here.
    Applied(EntryId),
    /// The cells, in the order of the keys.
    Fetched {
        /// Which fetch.
        ticket: Ticket,
        /// Encoded cells.
        cells: Vec<Option<Bytes>>,
    },
    /// The answer to a read.
    Answered {
        /// Which read.
        ticket: Ticket,
        /// The answer, or why there is none.
        answer: Result<Answer, EngineError>,
    },
    /// Rows of the snapshot; `more` says whether it goes on.
    Snapshot {
        /// The rows.
        rows: Bytes,
        /// Whether there is more.
        more: bool,
    },
    /// Nothing to say.
    Done,
    /// The engine failed or the log holds what cannot be applied: the replica must be rebuilt.
    Failed {
        /// Why.
        detail: String,
    },
}

/// An engine with what it takes to apply entries to it.
#[allow(missing_debug_implementations, reason = "engines have no debug form")]
pub struct Executor {
    engine: Box<dyn StorageEngine>,
    formats: BTreeMap<FormatTag, Arc<dyn LogFormat>>,
}

impl Executor {
    /// An executor that can read every registered format.
    pub fn new(engine: Box<dyn StorageEngine>, registry: &Registry) -> Self {
        let formats = registry
            .formats()
            .map(|f| (f.tag(), Arc::clone(f)))
            .collect();
        Self { engine, formats }
    }

    /// The engine.
    pub fn engine(&self) -> &dyn StorageEngine {
        self.engine.as_ref()
    }

    /// Puts another engine in its place: a snapshot was installed. Returns the old one.
    pub fn replace(&mut self, engine: Box<dyn StorageEngine>) -> Box<dyn StorageEngine> {
        std::mem::replace(&mut self.engine, engine)
    }

    /// Does a job.
    pub fn run(&mut self, job: Job) -> JobResult {
        let failed = |error: &dyn std::fmt::Display| JobResult::Failed {
            detail: error.to_string(),
        };
        match job {
            Job::Apply(entries) => {
                let mut last = EntryId::ZERO;
                for replayed in &entries {
                    if let Err(error) = self.apply(replayed) {
                        return failed(&error);
                    }
                    last = replayed.entry.last();
                }
                JobResult::Applied(last)
            }
            Job::Fetch { ticket, keys } => {
                let get = |key: &Bytes| self.engine.get(Space::Data, key);
                match keys.iter().map(get).collect() {
                    Ok(cells) => JobResult::Fetched { ticket, cells },
                    Err(error) => failed(&error),
                }
            }
            Job::Query {
                ticket,
                query,
                wall,
            } => JobResult::Answered {
                ticket,
                answer: self.query(&query, wall),
            },
            Job::SnapshotBegin => self
                .engine
                .snapshot_begin()
                .map_or_else(|e| failed(&e), |()| JobResult::Done),
            Job::SnapshotRead(bytes_max) => {
                let mut chunk = SnapshotChunk::new();
                match self.engine.snapshot_read(&mut chunk, bytes_max) {
                    Ok(more) => JobResult::Snapshot {
                        rows: chunk.take(),
                        more,
                    },
                    Err(error) => failed(&error),
                }
            }
            Job::SnapshotAbort => {
                self.engine.snapshot_abort();
                JobResult::Done
            }
        }
    }

    fn apply(&mut self, replayed: &ReplayedEntry) -> Result<(), FormatError> {
        let ReplayedEntry {
            entry,
            skip,
            frontier,
        } = replayed;
        let applied = Applied {
            lsn: entry.last_lsn(),
            frontier: frontier.clone(),
        };
        let mut batch = WriteBatch::new(applied);
        batch.changes.reserve(entry.count as usize);
        let context = RecordContext { wall: entry.wall };
        let unknown = FormatError::Unsupported {
            what: "entries of an unregistered format",
        };
        let mut format = None;
        for record in RecordReader::new(entry) {
            let record = record?;
            if skip.contains(&record.position.lsn) {
                continue;
            }
            let format = match format {
                Some(format) => format,
                None => *format.insert(self.formats.get(&entry.format).ok_or(unknown.clone())?),
            };
            let view = EngineView(self.engine.as_ref());
            format.replay(context, record.payload, &view, &mut batch)?;
        }
        Ok(self.engine.apply(&batch)?)
    }

    fn query(&self, query: &ReadQuery, wall: Wall) -> Result<Answer, EngineError> {
        Ok(match query {
            ReadQuery::Get(key) => {
                let bytes = self.engine.get(Space::Data, key)?;
                Answer::Value(bytes.and_then(|bytes| live_value(&bytes, wall)))
            }
            ReadQuery::Scan { from, to, limit } => {
                let mut rows = Vec::new();
                let limit = *limit as usize;
                self.engine.scan(Space::Data, from, to, &mut |key, cell| {
                    if rows.len() < limit
                        && let Some(value) = live_value(&Bytes::copy_from_slice(cell), wall)
                    {
                        rows.push(Row {
                            key: Bytes::copy_from_slice(key),
                            value,
                        });
                    }
                    rows.len() < limit
                })?;
                Answer::Rows(rows)
            }
            ReadQuery::Digest => Answer::Digest(self.engine.digest()?.0),
            ReadQuery::Count => Answer::Count(self.engine.len(Space::Data)?),
        })
    }
}

/// The value inside an encoded cell, unless it is expired or damaged.
fn live_value(bytes: &Bytes, wall: Wall) -> Option<Bytes> {
    let cell = Cell::decode(bytes).ok()?;
    (!cell.is_expired_at(wall)).then(|| bytes.slice_ref(cell.value))
}

struct EngineView<'a>(&'a dyn StorageEngine);

impl StateView for EngineView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.0.get(Space::Data, key)
    }
}
