//! Loading a snapshot into a new engine.

use repertoire_core::{SnapshotChunk, StorageEngine};

use super::NewEngine;
use super::model::{Model, Workload};
use crate::must::must;

fn snapshot(engine: &mut dyn StorageEngine, bytes_max: usize) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    must(engine.snapshot_begin(), "snapshot_begin");
    let mut goes_on = true;
    while goes_on {
        let mut chunk = SnapshotChunk::new();
        goes_on = must(engine.snapshot_read(&mut chunk, bytes_max), "snapshot_read");
        chunks.push(chunk.take().to_vec());
    }
    chunks
}

/// An engine that loaded a snapshot holds the source's data and replicated rows and goes on from
/// there as the source does.
///
/// # Panics
/// When the engine does otherwise.
pub fn loaded_engines_equal_their_source(new: NewEngine<'_>, seed: u64) {
    let mut source = new();
    let mut model = Model::default();
    let mut workload = Workload::new(seed, 300);
    for _ in 0..30 {
        let batch = workload.batch(60);
        must(source.apply(&batch), "apply");
        model.apply(&batch);
    }
    let mut copy = new();
    for chunk in snapshot(source.as_mut(), 3000) {
        must(copy.load(&SnapshotChunk::from_bytes(&chunk)), "load");
    }
    must(copy.load_finish(model.applied.clone()), "load_finish");
    let mut expected = Model {
        rows: model.shared(),
        applied: model.applied.clone(),
    };
    expected.assert_same(copy.as_ref());
    for _ in 0..10 {
        let batch = workload.batch(60);
        must(source.apply(&batch), "apply");
        must(copy.apply(&batch), "apply");
        expected.apply(&batch);
    }
    expected.assert_same(copy.as_ref());
    let digests = (source.digest(), copy.digest());
    assert_eq!(
        digests.0, digests.1,
        "seed {seed}: source and copy went apart"
    );
    snapshot(copy.as_mut(), 1 << 20);
}

/// Bytes that are no rows are an error, not a panic.
///
/// # Panics
/// When the engine does otherwise.
pub fn damaged_chunks_are_refused(new: NewEngine<'_>) {
    let mut chunk = SnapshotChunk::new();
    chunk.push(repertoire_core::Space::Data, b"key", b"value");
    let whole = chunk.take();
    for end in 1..whole.len() {
        let cut = SnapshotChunk::from_bytes(whole.get(..end).unwrap_or_default());
        assert!(new().load(&cut).is_err(), "{end} of {} bytes", whole.len());
    }
    let garbage = SnapshotChunk::from_bytes(&[0xFF; 64]);
    assert!(new().load(&garbage).is_err(), "garbage");
    // The local space is nobody else's.
    let mut local = whole.to_vec();
    local.splice(..1, [repertoire_core::Space::Local as u8]);
    assert!(
        new().load(&SnapshotChunk::from_bytes(&local)).is_err(),
        "a local row"
    );
}
