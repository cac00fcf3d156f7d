//! The engine: the contract's calls on top of the state.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use repertoire_core::{
    Applied, EngineCapabilities, EngineError, EngineReader, ExecutionOrder, RowDigest,
    SnapshotChunk, Space, StateDigest, StorageEngine, WriteBatch,
};

use crate::reader::Reader;
use crate::snapshot::Snapshot;
use crate::state::State;

/// Keys above which a batch is refused, so that slots stay within 32 bits and the hash index
/// within its directory.
const KEYS_MAX: u64 = 3_000_000_000;

/// A replica's state in memory. See the crate's documentation.
#[derive(Debug)]
pub struct MemoryEngine {
    state: Arc<RwLock<State>>,
    applied: Applied,
    snapshot: Option<Snapshot>,
    /// Number of the last snapshot.
    snapshots: u32,
    has_failed: bool,
}

impl MemoryEngine {
    /// An empty engine whose hash table is seeded with `hash_seed`.
    ///
    /// A node passes a random number, so that nobody can choose keys that collide; a simulation
    /// passes a fixed one. Nothing that the engine returns depends on it.
    pub fn new(hash_seed: u64) -> Self {
        Self {
            state: Arc::new(RwLock::new(State::new(hash_seed))),
            applied: Applied::default(),
            snapshot: None,
            snapshots: 0,
            has_failed: false,
        }
    }

    /// Bytes of old rows that an open snapshot keeps beside the state.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, Snapshot::bytes)
    }

    fn check(&self) -> Result<(), EngineError> {
        if self.has_failed {
            return Err(failed("the hash index could not grow in an earlier call"));
        }
        Ok(())
    }
}

fn failed(detail: &str) -> EngineError {
    EngineError::Failed {
        detail: detail.to_owned(),
    }
}

impl StorageEngine for MemoryEngine {
    fn capabilities(&self) -> EngineCapabilities {
        EngineCapabilities {
            order: ExecutionOrder::EvaluateFirst,
            persistent: false,
            inline: true,
            ordered_scan: true,
        }
    }

    fn applied(&self) -> &Applied {
        &self.applied
    }

    fn apply(&mut self, batch: &WriteBatch<'_>) -> Result<(), EngineError> {
        self.check()?;
        let mut state = self.state.write();
        if state.data.len() + batch.changes.len() as u64 > KEYS_MAX {
            return Err(EngineError::Full);
        }
        if !state.apply(&batch.changes, self.snapshot.as_mut()) {
            self.has_failed = true;
            return Err(failed("the hash index cannot grow"));
        }
        state.lsn = batch.applied.lsn;
        self.applied.clone_from(&batch.applied);
        Ok(())
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.check()?;
        let state = self.state.read();
        let value = match space {
            Space::Data => state.data.get(key),
            Space::Replicated => state.replicated.get(key),
            Space::Local => state.local.get(key),
        };
        Ok(value.map(Bytes::copy_from_slice))
    }

    fn scan(
        &self,
        space: Space,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), EngineError> {
        self.check()?;
        // The visitor may read from this engine: nobody can wait for the write lock meanwhile,
        // because `apply` needs the engine exclusively.
        let state = self.state.read();
        let rows = match space {
            Space::Data => {
                state.data.scan(from, to, visit);
                return Ok(());
            }
            Space::Replicated => &state.replicated,
            Space::Local => &state.local,
        };
        for (key, value) in rows.range(from, to) {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn len(&self, space: Space) -> Result<u64, EngineError> {
        let state = self.state.read();
        Ok(match space {
            Space::Data => state.data.len(),
            Space::Replicated => state.replicated.len(),
            Space::Local => state.local.len(),
        })
    }

    fn bytes(&self) -> u64 {
        let state = self.state.read();
        let spaces = state.data.bytes() + state.replicated.bytes() + state.local.bytes();
        spaces + self.snapshot_bytes()
    }

    fn reader(&self) -> Option<Arc<dyn EngineReader>> {
        let state = Arc::clone(&self.state);
        Some(Arc::new(Reader { state }))
    }

    fn snapshot_begin(&mut self) -> Result<(), EngineError> {
        self.check()?;
        if self.snapshot.is_some() {
            return Err(failed("a snapshot is open already"));
        }
        self.snapshots += 1;
        let state = self.state.read();
        self.snapshot = Some(Snapshot::new(self.snapshots, state.data.slab()));
        Ok(())
    }

    fn snapshot_read(
        &mut self,
        chunk: &mut SnapshotChunk,
        bytes_max: usize,
    ) -> Result<bool, EngineError> {
        self.check()?;
        let state = self.state.read();
        let Some(snapshot) = &mut self.snapshot else {
            return Err(failed("no snapshot is open"));
        };
        let is_through = snapshot.read(state.data.slab(), &state.replicated, chunk, bytes_max);
        if is_through {
            self.snapshot = None;
        }
        Ok(!is_through)
    }

    fn snapshot_abort(&mut self) {
        self.snapshot = None;
    }

    fn load(&mut self, chunk: &SnapshotChunk) -> Result<(), EngineError> {
        self.check()?;
        let damaged = |error: repertoire_core::DecodeError| EngineError::Corrupted {
            detail: error.to_string(),
        };
        // Twice, so that nothing of a damaged chunk is taken.
        chunk.visit(&mut |_, _, _| {}).map_err(damaged)?;
        let mut state = self.state.write();
        let mut has_grown = true;
        let snapshot = &mut self.snapshot;
        chunk
            .visit(&mut |space, key, value| {
                has_grown &= state.load(space, key, value, snapshot.as_mut());
            })
            .map_err(damaged)?;
        if !has_grown {
            self.has_failed = true;
            return Err(failed("the hash index cannot grow"));
        }
        Ok(())
    }

    fn load_finish(&mut self, applied: Applied) -> Result<(), EngineError> {
        self.check()?;
        self.state.write().lsn = applied.lsn;
        self.applied = applied;
        Ok(())
    }

    fn digest(&self) -> Result<StateDigest, EngineError> {
        self.check()?;
        let state = self.state.read();
        let mut digest = StateDigest::default();
        for (key, value) in state.data.slab().iter() {
            digest.add(RowDigest::of(Space::Data, key, value));
        }
        for (key, value) in state.replicated.range(&[], &[]) {
            digest.add(RowDigest::of(Space::Replicated, key, value));
        }
        Ok(digest)
    }
}
