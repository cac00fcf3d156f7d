//! A tape between the replica and its engine: it records every batch that reaches the engine.
//!
//! This is the harness' own view of "applied": the content of each batch, hashed, whatever the
//! replica says of itself.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use repertoire_core::{
    Applied, EngineCapabilities, EngineError, EngineReader, SnapshotChunk, Space, StateDigest,
    StorageEngine, WriteBatch,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Content, KeyId};

/// One batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TapeRecord {
    /// The position that it brought the engine to.
    pub(crate) lsn: u64,
    /// Its changes, hashed in order.
    pub(crate) hash: u64,
    /// How many changes.
    pub(crate) changes: u32,
}

/// A change of a key of the workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TapeWrite {
    pub(crate) lsn: u64,
    pub(crate) key: KeyId,
    pub(crate) content: Content,
    pub(crate) expires: bool,
}

/// What happened since the harness looked last.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) records: Vec<TapeRecord>,
    /// Changes of batches beyond `known`.
    pub(crate) writes: Vec<TapeWrite>,
    /// Changes up to here are known from another replica.
    pub(crate) known: u64,
    /// A key that is not the workload's was changed.
    pub(crate) foreign_key: bool,
}

/// A tape shared with an engine.
pub(crate) type SharedTape = Arc<Mutex<Tape>>;

/// An engine with a tape.
pub(crate) struct WatchedEngine {
    inner: Box<dyn StorageEngine>,
    tape: SharedTape,
}

impl WatchedEngine {
    pub(crate) fn new(inner: Box<dyn StorageEngine>, tape: SharedTape) -> Self {
        Self { inner, tape }
    }

    fn record(&self, batch: &WriteBatch<'_>) {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let lsn = batch.applied.lsn.0;
        let is_news = lsn > tape.known;
        let mut hash = lsn;
        for change in &batch.changes {
            let value = change.value.as_deref();
            hash = xxh3_64_with_seed(&change.key, hash.rotate_left(7) ^ change.space as u64);
            hash = xxh3_64_with_seed(value.unwrap_or_default(), hash ^ u64::from(value.is_some()));
            if is_news && change.space == Space::Data {
                match KeyId::parse(&change.key) {
                    None => tape.foreign_key = true,
                    Some(key) => {
                        let (content, expires) = Content::of_cell(key, value);
                        let write = TapeWrite {
                            lsn,
                            key,
                            content,
                            expires,
                        };
                        tape.writes.push(write);
                    }
                }
            }
        }
        let changes = batch.changes.len() as u32;
        tape.records.push(TapeRecord { lsn, hash, changes });
    }
}

impl StorageEngine for WatchedEngine {
    fn capabilities(&self) -> EngineCapabilities {
        self.inner.capabilities()
    }

    fn applied(&self) -> &Applied {
        self.inner.applied()
    }

    fn apply(&mut self, batch: &WriteBatch<'_>) -> Result<(), EngineError> {
        self.inner.apply(batch)?;
        self.record(batch);
        Ok(())
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.inner.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), EngineError> {
        self.inner.scan(space, from, to, visit)
    }

    fn len(&self, space: Space) -> Result<u64, EngineError> {
        self.inner.len(space)
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn reader(&self) -> Option<Arc<dyn EngineReader>> {
        self.inner.reader()
    }

    fn snapshot_begin(&mut self) -> Result<(), EngineError> {
        self.inner.snapshot_begin()
    }

    fn snapshot_read(
        &mut self,
        chunk: &mut SnapshotChunk,
        bytes_max: usize,
    ) -> Result<bool, EngineError> {
        self.inner.snapshot_read(chunk, bytes_max)
    }

    fn snapshot_abort(&mut self) {
        self.inner.snapshot_abort();
    }

    fn load(&mut self, chunk: &SnapshotChunk) -> Result<(), EngineError> {
        self.inner.load(chunk)
    }

    fn load_finish(&mut self, applied: Applied) -> Result<(), EngineError> {
        self.inner.load_finish(applied)
    }

    fn digest(&self) -> Result<StateDigest, EngineError> {
        self.inner.digest()
    }
}
