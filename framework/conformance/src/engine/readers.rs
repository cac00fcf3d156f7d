//! Reads from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use repertoire_core::{Applied, EngineReader, Lsn, Space, WriteBatch};

use super::NewEngine;
use crate::must::must;

/// Every batch sets two keys to its LSN, one as its first change and one as its last, with many
/// others between: whatever a reader finds equals the position it is told.
///
/// # Panics
/// When the engine does otherwise.
pub fn readers_see_whole_batches_and_their_position(new: NewEngine<'_>) {
    let mut engine = new();
    let Some(reader) = engine.reader() else {
        return;
    };
    assert_eq!(must(reader.get(b"first"), "read"), (None, Lsn::ZERO));
    let others: Vec<_> = (0..200_u32).map(u32::to_be_bytes).collect();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for key in [&b"first"[..], b"last"] {
            let (reader, is_done) = (Arc::clone(&reader), &is_done);
            scope.spawn(move || read_on(reader.as_ref(), key, is_done));
        }
        for lsn in 1..=500_u64 {
            let value = lsn.to_be_bytes();
            let mut batch = WriteBatch::new(Applied {
                lsn: Lsn(lsn),
                ..Applied::default()
            });
            batch.set(Space::Data, b"first", &value);
            for key in &others {
                batch.set(Space::Data, key, &value);
            }
            batch.set(Space::Data, b"last", &value);
            must(engine.apply(&batch), "apply");
        }
        is_done.store(true, Ordering::Release);
    });
    let (value, lsn) = must(reader.get(b"last"), "read");
    assert_eq!(lsn, Lsn(500), "a reader sees every batch applied before");
    assert_eq!(value.as_deref(), Some(&500_u64.to_be_bytes()[..]));
}

fn read_on(reader: &dyn EngineReader, key: &[u8], is_done: &AtomicBool) {
    let mut last = Lsn::ZERO;
    while !is_done.load(Ordering::Acquire) {
        let (value, lsn) = must(reader.get(key), "read");
        let wanted = (lsn > Lsn::ZERO).then(|| lsn.0.to_be_bytes());
        assert_eq!(
            value.as_deref(),
            wanted.as_ref().map(|lsn| &lsn[..]),
            "read at {lsn:?}"
        );
        assert!(lsn >= last, "a reader's position went back");
        last = lsn;
    }
}
