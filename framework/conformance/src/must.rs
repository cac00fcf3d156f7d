//! Unwrapping with a sentence: a suite fails by panicking, as tests do.

use std::fmt::Debug;

/// The value, or a panic that says what was expected to work.
#[track_caller]
#[allow(clippy::panic, reason = "a failed check ends the test that runs it")]
pub(crate) fn must<T, E: Debug>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what} failed: {error:?}"),
    }
}
