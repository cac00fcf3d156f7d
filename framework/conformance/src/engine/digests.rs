//! Digests.

use repertoire_core::{Applied, Lsn, Space, WriteBatch};

use super::NewEngine;
use crate::must::must;

/// Equal rows have equal digests, however they came about and whatever `applied` says.
///
/// # Panics
/// When the engine does otherwise.
pub fn digests_depend_on_rows_alone(new: NewEngine<'_>) {
    let keys: Vec<_> = (0..500_u32).map(u32::to_be_bytes).collect();
    let mut one = new();
    let mut batch = WriteBatch::new(Applied::default());
    for key in &keys {
        batch.set(Space::Data, key, key);
        batch.set(Space::Replicated, key, b"r");
    }
    must(one.apply(&batch), "apply");
    let mut other = new();
    for (lsn, key) in (1..).zip(keys.iter().rev()) {
        let mut batch = WriteBatch::new(Applied {
            lsn: Lsn(lsn),
            ..Applied::default()
        });
        batch.set(Space::Data, key, b"to be overwritten by something shorter");
        batch.set(Space::Data, b"to be removed", b"v");
        batch.set(Space::Local, key, b"local");
        must(other.apply(&batch), "apply");
        let mut batch = WriteBatch::new(batch.applied);
        batch.set(Space::Data, key, key);
        batch.set(Space::Replicated, key, b"r");
        batch.remove(Space::Data, b"to be removed");
        must(other.apply(&batch), "apply");
    }
    let digest = must(one.digest(), "digest");
    assert_eq!(must(other.digest(), "digest"), digest, "equal rows");
    let mut batch = WriteBatch::new(Applied::default());
    batch.set(Space::Replicated, b"one row more", b"");
    must(other.apply(&batch), "apply");
    assert_ne!(must(other.digest(), "digest"), digest, "different rows");
}
