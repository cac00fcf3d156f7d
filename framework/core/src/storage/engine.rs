//! The contract of a storage engine.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::{SnapshotChunk, Space, StateDigest, WriteBatch};
use crate::Lsn;

/// How far an engine's state goes. Stored in the same atomic step as the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Position of the replica's *local* sequence that was applied last.
    pub lsn: Lsn,
    /// What the protocol must know of that state; opaque to the engine.
    pub frontier: Bytes,
}

/// Whether an engine evaluates before the log decides, or executes and must be able to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionOrder {
    /// Changes reach the engine only once they are visible.
    EvaluateFirst,
    /// The engine runs an operation to learn its changes; it stores undo until they are visible.
    ExecuteFirst,
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineCapabilities {
    /// See [`ExecutionOrder`].
    pub order: ExecutionOrder,
    /// Whether state survives the process without a snapshot file.
    pub persistent: bool,
    /// Whether calls are so fast that they may run on the node's own thread.
    pub inline: bool,
    /// Whether scans return keys in order.
    pub ordered_scan: bool,
}

/// An engine's failure. The replica that owns it stops; others go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The medium is full; nothing of the batch was applied.
    #[error("the engine's medium is full")]
    Full,
    /// Stored bytes are damaged.
    #[error("the engine's data is corrupted: {detail}")]
    Corrupted {
        /// What was found.
        detail: String,
    },
    /// Anything else.
    #[error("the engine failed: {detail}")]
    Failed {
        /// What happened.
        detail: String,
    },
}

/// Point reads from any thread, beside the thread that applies.
pub trait EngineReader: Send + Sync {
    /// The value of `key` in the data space, and the position it was read at.
    ///
    /// # Errors
    /// When the engine failed.
    fn get(&self, key: &[u8]) -> Result<(Option<Bytes>, Lsn), EngineError>;
}

/// A place that keeps a replica's state. Used by one thread at a time.
///
/// # Contract
/// * [`apply`](Self::apply) is atomic: after a crash all of a batch is there or none, over all
///   spaces and `applied` together.
/// * `applied` of a persistent engine is never beyond what the log has made durable, unless undo
///   is stored with it.
/// * Reads see every batch applied before them.
/// * A snapshot is the state at the moment of [`snapshot_begin`](Self::snapshot_begin), however
///   many batches are applied while it is read. One snapshot at a time.
/// * [`digest`](Self::digest) covers the data and replicated spaces and depends on their rows only.
pub trait StorageEngine: Send {
    /// What it can do.
    fn capabilities(&self) -> EngineCapabilities;

    /// How far its state goes.
    fn applied(&self) -> &Applied;

    /// Makes the changes of a batch.
    ///
    /// # Errors
    /// When the medium is full or failed; nothing was applied then.
    fn apply(&mut self, batch: &WriteBatch<'_>) -> Result<(), EngineError>;

    /// The bytes of `key`, copied.
    ///
    /// # Errors
    /// When the engine failed.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError>;

    /// Visits keys in `[from, to)` in order (an empty `to`: to the end) until `visit` says `false`.
    ///
    /// # Errors
    /// When the engine failed.
    fn scan(
        &self,
        space: Space,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), EngineError>;

    /// Keys in a space.
    ///
    /// # Errors
    /// When the engine failed.
    fn len(&self, space: Space) -> Result<u64, EngineError>;

    /// Bytes that the state occupies, roughly.
    fn bytes(&self) -> u64;

    /// A handle for point reads from other threads, if the engine has one.
    fn reader(&self) -> Option<Arc<dyn EngineReader>> {
        None
    }

    /// Fixes a snapshot of the data and replicated spaces at the present state.
    ///
    /// # Errors
    /// When one is open already, or the engine failed.
    fn snapshot_begin(&mut self) -> Result<(), EngineError>;

    /// Moves up to about `bytes_max` of the snapshot's rows into `chunk`, in any order, each row
    /// once over the whole snapshot. Returns `false` when the snapshot is complete and closed.
    ///
    /// # Errors
    /// When none is open, or the engine failed.
    fn snapshot_read(
        &mut self,
        chunk: &mut SnapshotChunk,
        bytes_max: usize,
    ) -> Result<bool, EngineError>;

    /// Gives an open snapshot up. Does nothing when none is open.
    fn snapshot_abort(&mut self);

    /// Adds rows of a snapshot to an engine that was just created. The state is complete when the
    /// last chunk was loaded and [`load_finish`](Self::load_finish) was called.
    ///
    /// # Errors
    /// When the chunk is damaged or the engine failed.
    fn load(&mut self, chunk: &SnapshotChunk) -> Result<(), EngineError>;

    /// Ends loading: from here on the engine is at `applied`.
    ///
    /// # Errors
    /// When the engine failed.
    fn load_finish(&mut self, applied: Applied) -> Result<(), EngineError>;

    /// Digest of the data and replicated spaces, by a full scan.
    ///
    /// # Errors
    /// When the engine failed.
    fn digest(&self) -> Result<StateDigest, EngineError> {
        let mut digest = StateDigest::default();
        for space in [Space::Data, Space::Replicated] {
            self.scan(space, &[], &[], &mut |key, value| {
                digest.add(super::RowDigest::of(space, key, value));
                true
            })?;
        }
        Ok(digest)
    }
}
