//! What every storage engine must do.
//!
//! ```
//! use repertoire_storage_memory::MemoryEngine;
//!
//! // In a test of the engine's crate; each call makes an empty engine.
//! repertoire_conformance::engine::check_all(|| Box::new(MemoryEngine::new(7)));
//! ```
//!
//! The checks compare the engine with a model, a `BTreeMap`, over seeded random batches. They are
//! chosen by the engine's [`EngineCapabilities`](repertoire_core::EngineCapabilities), and panic
//! with a sentence when the engine does something else than the contract says.

mod batches;
mod digests;
mod loading;
mod model;
mod readers;
mod scans;
mod snapshots;

use repertoire_core::StorageEngine;

pub use batches::{
    empty_engines_hold_nothing, extreme_keys_and_values_are_kept, later_changes_of_a_batch_win,
    random_batches_match_the_model, spaces_are_apart,
};
pub use digests::digests_depend_on_rows_alone;
pub use loading::{damaged_chunks_are_refused, loaded_engines_equal_their_source};
pub use readers::readers_see_whole_batches_and_their_position;
pub use scans::{scans_end_when_told, scans_match_the_model};
pub use snapshots::{
    snapshots_are_fixed_while_batches_go_on, snapshots_come_in_chunks_of_the_size_asked_for,
    snapshots_open_and_close_in_turn,
};

/// Makes an empty engine.
pub type NewEngine<'a> = &'a dyn Fn() -> Box<dyn StorageEngine>;

/// Runs every check.
///
/// # Panics
/// When the engine breaks its contract.
pub fn check_all(factory: impl Fn() -> Box<dyn StorageEngine>) {
    let new: NewEngine<'_> = &factory;
    empty_engines_hold_nothing(new);
    later_changes_of_a_batch_win(new);
    spaces_are_apart(new);
    extreme_keys_and_values_are_kept(new);
    scans_end_when_told(new);
    digests_depend_on_rows_alone(new);
    snapshots_open_and_close_in_turn(new);
    snapshots_come_in_chunks_of_the_size_asked_for(new);
    damaged_chunks_are_refused(new);
    readers_see_whole_batches_and_their_position(new);
    for seed in 0..SEEDS {
        random_batches_match_the_model(new, seed);
        scans_match_the_model(new, seed);
        snapshots_are_fixed_while_batches_go_on(new, seed);
        loaded_engines_equal_their_source(new, seed);
    }
}

/// Seeds that [`check_all`] gives to the random checks: a few seconds for the slowest engine.
const SEEDS: u64 = 8;
