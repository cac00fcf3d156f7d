//! What every log format must do.
//!
//! ```
//! use repertoire_log_formats::Row;
//! use repertoire_storage_memory::MemoryEngine;
//!
//! // In a test of the format's crate; each call of the second argument makes an empty engine.
//! let engine = || Box::new(MemoryEngine::new(7)) as _;
//! repertoire_conformance::log_format::check_all(&Row::default(), engine);
//! ```
//!
//! The checks capture seeded random histories of operations, replay the payloads on replicas that
//! apply at different paces, and compare the data with what the operations do when they are applied
//! directly. A format may refuse operations it cannot carry, but it carries puts and deletes.

mod before;
mod damage;
mod direct;
mod expiry;
mod history;
mod replay;
mod replica;

use repertoire_core::LogFormat;

use crate::engine::NewEngine;

pub use before::before_images_are_written_when_asked;
pub use damage::{damaged_payloads_are_reported, refused_operations_leave_no_bytes};
pub use expiry::logged_expiries_remove_what_still_expires;
pub use replay::{
    blind_captures_do_what_evaluated_ones_do, captures_and_replays_are_deterministic,
    replay_equals_direct_application, transactions_are_one_record,
};

/// Runs every check.
///
/// # Panics
/// When the format breaks its contract.
pub fn check_all(
    format: &dyn LogFormat,
    factory: impl Fn() -> Box<dyn repertoire_core::StorageEngine>,
) {
    let new: NewEngine<'_> = &factory;
    transactions_are_one_record(format, new);
    logged_expiries_remove_what_still_expires(format, new);
    before_images_are_written_when_asked(format);
    refused_operations_leave_no_bytes(format);
    for seed in 0..SEEDS {
        replay_equals_direct_application(format, new, seed);
        captures_and_replays_are_deterministic(format, seed);
        blind_captures_do_what_evaluated_ones_do(format, new, seed);
        damaged_payloads_are_reported(format, seed);
    }
}

/// Seeds that [`check_all`] gives to the random checks.
const SEEDS: u64 = 8;
