//! Damaged payloads and refused operations.

use repertoire_core::limits::KEY_MAX;
use repertoire_core::{LogFormat, Operation, RecordContext, WriteBatch};

use super::history::{self, History};
use super::replica::Nothing;
use crate::Random;

/// Cut, changed and invented payloads never panic, never make more than their bytes can hold, and
/// make the same each time; cut ones are reported as far as the layout shows it.
///
/// # Panics
/// When the format does otherwise.
pub fn damaged_payloads_are_reported(format: &dyn LogFormat, seed: u64) {
    let history = History::random(format, seed, 60);
    let mut random = Random::new(seed);
    let mut reported = 0;
    for record in &history.records {
        let payload = &record.payload;
        for end in 0..payload.len() {
            let cut = payload.get(..end).unwrap_or_default();
            reported += usize::from(!replays(format, record.context, cut));
        }
        for at in 0..payload.len() {
            let mut changed = payload.to_vec();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            replays(format, record.context, &changed);
        }
    }
    for len in 0..300 {
        replays(format, RecordContext::default(), &random.bytes(len));
    }
    assert!(
        !replays(format, RecordContext::default(), &[0xFF; 4096]) && reported > 0,
        "{}: no damage is ever reported",
        format.name()
    );
}

/// Whether the payload replays.
fn replays(format: &dyn LogFormat, context: RecordContext, payload: &[u8]) -> bool {
    let mut batch = WriteBatch::default();
    let result = format.replay(context, payload, &Nothing, &mut batch);
    // A change takes a byte at least, and an index row or two may come with it.
    let most = 4 * (payload.len() + 16);
    assert!(
        batch.changes.len() <= most,
        "{} changes",
        batch.changes.len()
    );
    let mut again = WriteBatch::default();
    let second = format.replay(context, payload, &Nothing, &mut again);
    assert_eq!(
        (&result, &batch),
        (&second, &again),
        "replayed twice: {payload:?}"
    );
    result.is_ok()
}

/// An operation that the format refuses leaves nothing behind in the output.
///
/// # Panics
/// When the format does otherwise.
pub fn refused_operations_leave_no_bytes(format: &dyn LogFormat) {
    let too_long = vec![0; KEY_MAX + 1];
    let put = |key| Operation::Put {
        key,
        value: b"v",
        expires_at: None,
    };
    let refused = [
        Operation::Batch(vec![put(b"k"), put(&too_long)]),
        Operation::Batch(vec![
            put(b"k"),
            Operation::Statement {
                text: "no such statement",
                params: b"",
            },
        ]),
        Operation::Call {
            function: repertoire_core::EXPIRE_FUNCTION,
            args: b"no arguments of it",
        },
    ];
    for operation in refused {
        // `history` checks what is left behind.
        let context = RecordContext::default();
        history::capture_blind(format, context, &operation).ok();
        let mut changes = Vec::new();
        repertoire_core::blind_changes(&operation, &mut changes);
        history::capture(format, context, &operation, &changes).ok();
    }
}
