//! Scans: bounds, order, early end.

use repertoire_core::{Applied, Space, StorageEngine, WriteBatch};

use super::NewEngine;
use super::model::{Model, Workload};
use crate::must::must;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn scan(engine: &dyn StorageEngine, space: Space, from: &[u8], to: &[u8]) -> Rows {
    let mut rows = Rows::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    must(engine.scan(space, from, to, visit), "scan");
    rows
}

/// Random ranges give exactly the model's rows, in order if the engine says that it has one.
///
/// # Panics
/// When the engine does otherwise.
pub fn scans_match_the_model(new: NewEngine<'_>, seed: u64) {
    let mut engine = new();
    let is_ordered = engine.capabilities().ordered_scan;
    let mut model = Model::default();
    let mut workload = Workload::new(seed, 300);
    for _ in 0..60 {
        let batch = workload.batch(60);
        must(engine.apply(&batch), "apply");
        model.apply(&batch);
        let (from, to) = (workload.key(), workload.key());
        for space in Space::ALL {
            for (from, to) in [(&from, &to), (&vec![], &to), (&from, &vec![]), (&to, &to)] {
                let is_inside = |key: &Vec<u8>| key >= from && (to.is_empty() || key < to);
                let wanted: Rows = model
                    .rows
                    .iter()
                    .filter(|((s, key), _)| *s == space && is_inside(key))
                    .map(|((_, key), value)| (key.clone(), value.clone()))
                    .collect();
                let mut found = scan(engine.as_ref(), space, from, to);
                if !is_ordered {
                    found.sort();
                }
                assert_eq!(found, wanted, "seed {seed}, {space:?} [{from:?}, {to:?})");
            }
        }
    }
}

/// A visitor that says `false` is not called again.
///
/// # Panics
/// When the engine does otherwise.
pub fn scans_end_when_told(new: NewEngine<'_>) {
    let mut engine = new();
    let keys: Vec<_> = (0..1000_u32).map(u32::to_be_bytes).collect();
    let mut batch = WriteBatch::new(Applied::default());
    for space in Space::ALL {
        for key in &keys {
            batch.set(space, key, b"v");
        }
    }
    must(engine.apply(&batch), "apply");
    for space in Space::ALL {
        for end in [1, 2, 999] {
            let mut visited = 0;
            let visit = &mut |_: &[u8], _: &[u8]| {
                visited += 1;
                visited < end
            };
            must(engine.scan(space, &[], &[], visit), "scan");
            assert_eq!(visited, end, "{space:?}: rows after the visitor's end");
        }
    }
}
