//! The engine passes the suite, whatever its hash seed.

use repertoire_storage_memory::MemoryEngine;

#[test]
fn memory_engine_conforms() {
    for hash_seed in [0, 0xDEAD_BEEF] {
        repertoire_conformance::engine::check_all(|| Box::new(MemoryEngine::new(hash_seed)));
    }
}

#[cfg(feature = "sabotage")]
#[test]
#[should_panic(expected = "the snapshot is the state at its beginning")]
fn suite_finds_a_snapshot_that_is_not_fixed() {
    use repertoire_core::sabotage::{Bug, plant};
    plant(&[Bug::SnapshotNotFixed]);
    repertoire_conformance::engine::check_all(|| Box::new(MemoryEngine::new(0)));
}
