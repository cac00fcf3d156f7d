//! Snapshots: fixed while batches go on, in chunks, one at a time.

use std::collections::BTreeMap;

use repertoire_core::{Applied, SnapshotChunk, Space, StorageEngine, WriteBatch};

use super::NewEngine;
use super::model::{Model, RowKey, Workload};
use crate::must::must;

/// Takes a chunk's rows apart; fails when a row comes twice.
#[track_caller]
fn collect(rows: &mut BTreeMap<RowKey, Vec<u8>>, chunk: &SnapshotChunk) {
    let visited = chunk.visit(&mut |space, key, value| {
        let earlier = rows.insert((space, key.to_vec()), value.to_vec());
        assert_eq!(earlier, None, "{space:?} {key:?} came twice");
    });
    must(visited, "visiting a chunk");
}

/// The snapshot is the state at its beginning, while random batches overwrite, remove and insert
/// between any two reads.
///
/// # Panics
/// When the engine does otherwise.
pub fn snapshots_are_fixed_while_batches_go_on(new: NewEngine<'_>, seed: u64) {
    let mut engine = new();
    let mut model = Model::default();
    let mut workload = Workload::new(seed, 400);
    for _ in 0..6 {
        for _ in 0..10 {
            step(&mut workload, engine.as_mut(), &mut model);
        }
        let wanted = model.shared();
        must(engine.snapshot_begin(), "snapshot_begin");
        let mut rows = BTreeMap::new();
        loop {
            for _ in 0..workload.random.below(4) {
                step(&mut workload, engine.as_mut(), &mut model);
            }
            let mut chunk = SnapshotChunk::new();
            let bytes_max = 1 + workload.random.below(4000);
            let goes_on = must(engine.snapshot_read(&mut chunk, bytes_max), "snapshot_read");
            collect(&mut rows, &chunk);
            if !goes_on {
                break;
            }
            if workload.random.chance(2) {
                // Given up half-way: the next one starts from scratch.
                engine.snapshot_abort();
                rows = wanted.clone();
                break;
            }
        }
        assert_eq!(
            rows, wanted,
            "seed {seed}: the snapshot is the state at its beginning"
        );
        model.assert_same(engine.as_ref());
    }
}

fn step(workload: &mut Workload, engine: &mut dyn StorageEngine, model: &mut Model) {
    let batch = workload.batch(30);
    must(engine.apply(&batch), "apply");
    model.apply(&batch);
}

/// One at a time; reading needs an open one; giving up is always possible.
///
/// # Panics
/// When the engine does otherwise.
pub fn snapshots_open_and_close_in_turn(new: NewEngine<'_>) {
    let mut engine = new();
    let mut chunk = SnapshotChunk::new();
    assert!(
        engine.snapshot_read(&mut chunk, 100).is_err(),
        "none is open"
    );
    engine.snapshot_abort();
    must(engine.snapshot_begin(), "snapshot_begin");
    assert!(engine.snapshot_begin().is_err(), "one is open already");
    assert_eq!(
        engine.snapshot_read(&mut chunk, 100),
        Ok(false),
        "an empty snapshot is complete"
    );
    assert!(chunk.is_empty(), "rows of an empty engine");
    assert!(
        engine.snapshot_read(&mut chunk, 100).is_err(),
        "complete means closed"
    );
    must(engine.snapshot_begin(), "a second snapshot");
    engine.snapshot_abort();
    must(
        engine.snapshot_begin(),
        "a snapshot after one that was given up",
    );
    let mut batch = WriteBatch::new(Applied::default());
    batch.set(Space::Data, b"later", b"v");
    must(engine.apply(&batch), "apply");
    assert_eq!(
        engine.snapshot_read(&mut chunk, 100),
        Ok(false),
        "later rows do not belong"
    );
    assert!(chunk.is_empty(), "later rows do not belong");
}

/// Chunks hold about what was asked for, and every read makes progress.
///
/// # Panics
/// When the engine does otherwise.
pub fn snapshots_come_in_chunks_of_the_size_asked_for(new: NewEngine<'_>) {
    let mut engine = new();
    let keys: Vec<_> = (0..2000_u32).map(u32::to_be_bytes).collect();
    let value = [9; 100];
    let mut batch = WriteBatch::new(Applied::default());
    for key in &keys {
        batch.set(Space::Data, key, &value);
    }
    must(engine.apply(&batch), "apply");
    for bytes_max in [1, 1000, 20_000] {
        must(engine.snapshot_begin(), "snapshot_begin");
        let mut rows = BTreeMap::new();
        let mut goes_on = true;
        while goes_on {
            let mut chunk = SnapshotChunk::new();
            goes_on = must(engine.snapshot_read(&mut chunk, bytes_max), "snapshot_read");
            // "About": a row more or less.
            assert!(
                chunk.len() <= bytes_max + 200,
                "{} of {bytes_max} bytes",
                chunk.len()
            );
            assert!(!goes_on || !chunk.is_empty(), "a read without progress");
            collect(&mut rows, &chunk);
        }
        assert_eq!(rows.len(), keys.len(), "rows of the snapshot");
    }
}
