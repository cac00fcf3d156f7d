//! Capture and replay make what the operations make.

use repertoire_core::{Guard, LogFormat, Operation, WriteBatch};

use super::history::{self, History};
use super::replica::{self, Nothing, Pace};
use crate::engine::NewEngine;
use crate::must::must;

/// On replicas of every pace the data is what the operations make when they are applied directly,
/// and all digests are equal.
///
/// # Panics
/// When the format does otherwise.
pub fn replay_equals_direct_application(format: &dyn LogFormat, new: NewEngine<'_>, seed: u64) {
    let history = History::random(format, seed, 400);
    let mut digests = Vec::new();
    for pace in Pace::ALL {
        let engine = replica::replay(format, &history.records, new, pace);
        let cells = replica::cells(engine.as_ref());
        assert_eq!(cells, history.cells, "seed {seed}, {pace:?}: data");
        digests.push(must(engine.digest(), "digest"));
    }
    let equal = digests.windows(2).all(|pair| pair.first() == pair.last());
    assert!(
        equal,
        "seed {seed}: digests differ between paces: {digests:?}"
    );
}

/// The same operations make the same payloads, and a payload the same changes, each time.
///
/// # Panics
/// When the format does otherwise.
pub fn captures_and_replays_are_deterministic(format: &dyn LogFormat, seed: u64) {
    let history = History::random(format, seed, 200);
    let again = History::random(format, seed, 200);
    assert_eq!(history.records, again.records, "seed {seed}: payloads");
    let (mut once, mut twice) = (WriteBatch::default(), WriteBatch::default());
    for record in &history.records {
        for batch in [&mut once, &mut twice] {
            let replayed = format.replay(record.context, &record.payload, &Nothing, batch);
            must(replayed, "replay");
        }
    }
    assert_eq!(once, twice, "seed {seed}: changes");
}

/// What the pipeline captures without evaluating has the effect of the evaluated capture.
///
/// # Panics
/// When the format does otherwise.
pub fn blind_captures_do_what_evaluated_ones_do(
    format: &dyn LogFormat,
    new: NewEngine<'_>,
    seed: u64,
) {
    let mut random = crate::Random::new(seed);
    let mut direct = History::default();
    let mut evaluated = Vec::new();
    for number in 0..100_u64 {
        let (one, other) = (number.to_be_bytes(), [b'k'; 3]);
        let value = random.bytes(20);
        let puts = |key| Operation::Put {
            key,
            value: &value,
            expires_at: None,
        };
        let operation = match random.below(3) {
            0 => puts(&one),
            1 => Operation::Delete { key: &other },
            _ => Operation::Batch(vec![puts(&other), Operation::Delete { key: &one }]),
        };
        let before = direct.cells.clone();
        if direct.run(format, &operation) {
            let changes = super::direct::evaluate(&before, &operation, direct.wall);
            let changes = changes.unwrap_or_default();
            let context = repertoire_core::RecordContext { wall: direct.wall };
            let payload = must(
                history::capture(format, context, &operation, &changes),
                "capture",
            );
            evaluated.push(history::Record { context, payload });
        }
    }
    let blind = replica::replay(format, &direct.records, new, Pace::Record);
    let evaluated = replica::replay(format, &evaluated, new, Pace::Record);
    assert_eq!(
        must(blind.digest(), "digest"),
        must(evaluated.digest(), "digest"),
        "seed {seed}: blind and evaluated captures"
    );
}

/// All changes of a transaction are in one payload; one that fails its guards makes none.
///
/// # Panics
/// When the format does otherwise.
pub fn transactions_are_one_record(format: &dyn LogFormat, new: NewEngine<'_>) {
    let put = |key| Operation::Put {
        key,
        value: b"v",
        expires_at: None,
    };
    let ops = || {
        vec![
            put(b"a"),
            put(b"b"),
            Operation::Delete { key: b"a" },
            put(b"c"),
        ]
    };
    let transaction = |expected| Operation::Transaction {
        guards: vec![Guard {
            key: b"b",
            expected,
        }],
        ops: ops(),
        returning: vec![],
    };
    for operation in [Operation::Batch(ops()), transaction(None)] {
        let mut history = History::default();
        if !history.run(format, &operation) {
            continue;
        }
        assert_eq!(history.records.len(), 1);
        let engine = replica::replay(format, &history.records, new, Pace::Record);
        let keys: Vec<_> = replica::cells(engine.as_ref()).into_keys().collect();
        assert_eq!(keys, [&b"b"[..], b"c"], "{operation:?}");
        assert!(
            !history.run(format, &transaction(None)),
            "the guard fails now"
        );
        assert_eq!(
            history.records.len(),
            1,
            "a refused transaction is not logged"
        );
    }
}
