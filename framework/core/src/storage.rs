//! Storage engines: where a replica keeps its state.

mod batch;
mod digest;
mod engine;
mod snapshot;

pub use batch::{Space, StateChange, WriteBatch};
pub use digest::{RowDigest, StateDigest};
pub use engine::{
    Applied, EngineCapabilities, EngineError, EngineReader, ExecutionOrder, StorageEngine,
};
pub use snapshot::{RowVisitor, SnapshotChunk, SnapshotHeader};
