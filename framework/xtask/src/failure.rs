//! The one error of the chores: a sentence for the person at the terminal.

use std::fmt;

/// What went wrong, in words that say what to do next.
#[derive(Debug)]
pub struct Failure(String);

/// A result whose error is a [`Failure`].
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure that reads as `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Adds what was being done to an error.
pub trait During<T> {
    /// Turns the error into a [`Failure`] that reads "`doing`: error".
    ///
    /// # Errors
    /// The error of `self`, reworded.
    fn during(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> During<T> for std::result::Result<T, E> {
    fn during(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}
