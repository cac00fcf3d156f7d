//! Batches: order, atomicity, spaces, sizes.

use repertoire_core::limits::{KEY_MAX, VALUE_MAX};
use repertoire_core::{Applied, Lsn, Space, WriteBatch};

use super::NewEngine;
use super::model::{Model, Workload};
use crate::must::must;

/// A new engine has no rows and no position.
///
/// # Panics
/// When the engine does otherwise.
pub fn empty_engines_hold_nothing(new: NewEngine<'_>) {
    let engine = new();
    Model::default().assert_same(engine.as_ref());
    assert_eq!(must(engine.get(Space::Data, b"k"), "get"), None);
    let mut visited = 0;
    for space in Space::ALL {
        let scan = engine.scan(space, &[], &[], &mut |_, _| {
            visited += 1;
            true
        });
        must(scan, "scan");
    }
    assert_eq!(visited, 0, "rows of an empty engine");
}

/// Within a batch the last change of a key counts, also when a removal comes between.
///
/// # Panics
/// When the engine does otherwise.
pub fn later_changes_of_a_batch_win(new: NewEngine<'_>) {
    for space in Space::ALL {
        let mut engine = new();
        let mut batch = WriteBatch::new(Applied::default());
        batch.set(space, b"set-set", b"1");
        batch.set(space, b"set-set", b"2");
        batch.set(space, b"set-remove", b"1");
        batch.remove(space, b"set-remove");
        batch.remove(space, b"remove-set");
        batch.set(space, b"remove-set", b"3");
        batch.remove(space, b"never-there");
        let mut model = Model::default();
        for _ in 0..2 {
            must(engine.apply(&batch), "apply");
            model.apply(&batch);
            model.assert_same(engine.as_ref());
        }
    }
}

/// Equal keys in different spaces are different rows.
///
/// # Panics
/// When the engine does otherwise.
pub fn spaces_are_apart(new: NewEngine<'_>) {
    let mut engine = new();
    let mut model = Model::default();
    let mut batch = WriteBatch::new(Applied::default());
    for (space, value) in Space::ALL.into_iter().zip([b"d", b"r", b"l"]) {
        batch.set(space, b"key", value);
    }
    must(engine.apply(&batch), "apply");
    model.apply(&batch);
    model.assert_same(engine.as_ref());
    let digest = must(engine.digest(), "digest");
    let mut batch = WriteBatch::new(Applied::default());
    batch.remove(Space::Local, b"key");
    must(engine.apply(&batch), "apply");
    model.apply(&batch);
    model.assert_same(engine.as_ref());
    let after = must(engine.digest(), "digest");
    assert_eq!(after, digest, "the local space is in no digest");
}

/// The shortest and the longest keys and values, zeros and high bytes, shrinking and growing.
///
/// # Panics
/// When the engine does otherwise.
pub fn extreme_keys_and_values_are_kept(new: NewEngine<'_>) {
    // What an envelope and the replicated space's prefixes may add.
    let keys = [
        vec![],
        vec![0],
        vec![0, 0],
        vec![255; 24],
        vec![255; 25],
        vec![0; KEY_MAX],
        vec![255; KEY_MAX],
    ];
    let sizes = [0, 1, 100, VALUE_MAX + 64, 10, 4096, 0, VALUE_MAX + 64];
    let mut engine = new();
    let mut model = Model::default();
    for (lsn, size) in (1..).zip(sizes) {
        let value = vec![7; size];
        let mut batch = WriteBatch::new(Applied {
            lsn: Lsn(lsn),
            ..Applied::default()
        });
        for key in &keys {
            batch.set(Space::Data, key, &value);
            batch.set(Space::Replicated, key, &value);
        }
        must(engine.apply(&batch), "apply");
        model.apply(&batch);
    }
    model.assert_same(engine.as_ref());
}

/// Many random batches; the engine equals the model after each.
///
/// # Panics
/// When the engine does otherwise.
pub fn random_batches_match_the_model(new: NewEngine<'_>, seed: u64) {
    let mut engine = new();
    let mut model = Model::default();
    let mut workload = Workload::new(seed, 300);
    for round in 0..100 {
        let batch = workload.batch(100);
        must(engine.apply(&batch), "apply");
        model.apply(&batch);
        if round % 10 == 0 {
            model.assert_same(engine.as_ref());
        }
        let key = workload.key();
        let found = must(engine.get(Space::Data, &key), "get");
        let wanted = model.rows.get(&(Space::Data, key));
        assert_eq!(found.as_deref(), wanted.map(Vec::as_slice), "seed {seed}");
    }
    model.assert_same(engine.as_ref());
}
