//! Point reads beside the thread that applies.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use repertoire_core::{EngineError, EngineReader, Lsn};

use crate::state::State;

/// Reads under the engine's lock, which is held once per batch: a reader sees all of a batch or
/// nothing of it, with the matching position.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) state: Arc<RwLock<State>>,
}

impl EngineReader for Reader {
    fn get(&self, key: &[u8]) -> Result<(Option<Bytes>, Lsn), EngineError> {
        let state = self.state.read();
        let value = state.data.get(key).map(Bytes::copy_from_slice);
        Ok((value, state.lsn))
    }
}
