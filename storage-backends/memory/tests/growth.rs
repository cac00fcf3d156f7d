//! Enough keys for many segments and chunks, against a model: growing, shrinking and growing again
//! while a snapshot is open.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use repertoire_conformance::Random;
use repertoire_core::{Applied, SnapshotChunk, Space, StorageEngine, WriteBatch};
use repertoire_storage_memory::MemoryEngine;

const KEYS: usize = 60_000;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A key of 3 to 42 bytes; many share their first 24.
fn key(number: usize) -> Vec<u8> {
    let text = format!("{number:05}");
    match number % 3 {
        0 => text.into_bytes(),
        1 => format!("user:{text}").into_bytes(),
        _ => format!("a prefix longer than what fits inline:{text}").into_bytes(),
    }
}

fn change(random: &mut Random, engine: &mut MemoryEngine, rows: &mut Rows, removals: usize) {
    let numbers: Vec<_> = (0..500).map(|_| random.below(KEYS)).collect();
    let keys: Vec<_> = numbers.iter().map(|&number| key(number)).collect();
    let value = random.bytes(30);
    let mut batch = WriteBatch::new(Applied::default());
    for key in &keys {
        if random.chance(removals) {
            batch.remove(Space::Data, key);
            rows.remove(key);
        } else {
            let value = value.get(..random.below(30)).unwrap();
            batch.set(Space::Data, key, value);
            rows.insert(key.clone(), value.to_vec());
        }
    }
    engine.apply(&batch).unwrap();
}

fn scan(engine: &MemoryEngine, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    engine.scan(Space::Data, from, to, visit).unwrap();
    rows
}

#[test]
fn large_states_match_the_model() {
    let mut random = Random::new(42);
    let (mut engine, mut rows) = (MemoryEngine::new(9), Rows::new());
    for removals in [5, 95, 20, 80, 0] {
        for round in 0..200 {
            change(&mut random, &mut engine, &mut rows, removals);
            if round % 20 == 0 {
                let (from, to) = (key(random.below(KEYS)), key(random.below(KEYS)));
                let (from, to) = (from.clone().min(to.clone()), from.max(to));
                let wanted: Vec<_> = rows
                    .range(from.clone()..to.clone())
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                assert_eq!(scan(&engine, &from, &to), wanted);
            }
        }
        assert_eq!(engine.len(Space::Data).unwrap(), rows.len() as u64);
        assert_eq!(
            scan(&engine, &[], &[]),
            rows.clone().into_iter().collect::<Vec<_>>()
        );
        check_snapshot(&mut random, &mut engine, &mut rows, removals);
    }
}

fn check_snapshot(
    random: &mut Random,
    engine: &mut MemoryEngine,
    rows: &mut Rows,
    removals: usize,
) {
    let wanted = rows.clone();
    engine.snapshot_begin().unwrap();
    let mut found = Rows::new();
    let mut goes_on = true;
    while goes_on {
        change(random, engine, rows, removals);
        let mut chunk = SnapshotChunk::new();
        goes_on = engine.snapshot_read(&mut chunk, 20_000).unwrap();
        let visit = &mut |_, key: &[u8], value: &[u8]| {
            assert_eq!(found.insert(key.to_vec(), value.to_vec()), None);
        };
        chunk.visit(visit).unwrap();
    }
    assert!(found == wanted, "{} of {} rows", found.len(), wanted.len());
    assert_eq!(engine.snapshot_bytes(), 0);
    let mut copy = MemoryEngine::new(1);
    let mut chunk = SnapshotChunk::new();
    for (key, value) in rows.iter() {
        chunk.push(Space::Data, key, value);
    }
    copy.load(&chunk).unwrap();
    copy.load_finish(Applied::default()).unwrap();
    assert_eq!(copy.digest(), engine.digest());
}
