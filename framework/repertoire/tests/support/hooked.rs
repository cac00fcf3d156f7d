//! The default engine with something in its way.

use bytes::Bytes;
use repertoire::core::{
    Applied, EngineCapabilities, EngineError, SnapshotChunk, Space, StorageEngine, WriteBatch,
};

/// See the module's documentation.
pub(crate) struct Hooked {
    pub(crate) inner: Box<dyn StorageEngine>,
    /// Whether it works on the Node's thread.
    pub(crate) inline: bool,
    /// Sees every batch before it is applied.
    pub(crate) before_apply: Box<dyn Fn(&WriteBatch<'_>) + Send>,
}

impl StorageEngine for Hooked {
    fn capabilities(&self) -> EngineCapabilities {
        EngineCapabilities {
            inline: self.inline,
            ..self.inner.capabilities()
        }
    }

    fn applied(&self) -> &Applied {
        self.inner.applied()
    }

    fn apply(&mut self, batch: &WriteBatch<'_>) -> Result<(), EngineError> {
        (self.before_apply)(batch);
        self.inner.apply(batch)
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
}
