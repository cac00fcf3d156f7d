//! Registered functions: read-modify-write commands that run at the leader.
//!
//! A function declares the keys it reads, sees their values with all earlier writes applied, and
//! says what changes. Time comes from the entry, never from a clock, so the effect is a function
//! of the log.

use bytes::Bytes;

use crate::{Error, RecordContext, RowChange};

/// The built-in function that carries out expiries. Its arguments are `expires_at u64 | key blob`,
/// repeated. A key is removed only if it still expires at that very time, so the call is idempotent
/// and needs no evaluation at the leader.
pub const EXPIRE_FUNCTION: &str = "repertoire.expire";

/// What an evaluation sees: exactly the keys of its read set.
pub trait FunctionView {
    /// The cell's value of a declared key, or `None` when it is absent or expired.
    fn value(&self, key: &[u8]) -> Option<Bytes>;

    /// When a declared key expires, in milliseconds since the Unix epoch.
    fn expires_at(&self, key: &[u8]) -> Option<u64>;
}

/// What a function did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// The rows it changes.
    pub changes: Vec<RowChange>,
    /// What the caller gets.
    pub result: Bytes,
}

/// A command with a name, run at the leader inside the write pipeline.
///
/// # Contract
/// Both methods are pure functions of their arguments: no clock, no randomness, no shared state.
pub trait Function: Send + Sync {
    /// The name in [`Operation::Call`](crate::Operation::Call).
    fn name(&self) -> &str;

    /// Adds the keys that `evaluate` reads or writes to `keys`.
    ///
    /// # Errors
    /// When the arguments are malformed.
    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error>;

    /// Computes changes and result.
    ///
    /// # Errors
    /// When the command does not apply to the values found; nothing is logged then.
    fn evaluate(
        &self,
        context: RecordContext,
        args: &[u8],
        view: &dyn FunctionView,
    ) -> Result<Evaluated, Error>;
}
