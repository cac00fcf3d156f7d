//! Conflict resolvers: rules that turn concurrent values into fewer.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// What a resolver decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// One value, appended to the output.
    One,
    /// The siblings stay side by side; the first in the input's order is the winner to show.
    KeepSiblings,
}

/// Why a resolver gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the resolver failed: {detail}")]
pub struct ResolveError {
    /// What it said.
    pub detail: String,
}

/// One conflict handed to a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub key: Bytes,
    /// The concurrent values, sorted by their bytes so that every node passes the same list.
    pub siblings: Vec<Bytes>,
}

/// Turns siblings into fewer siblings.
///
/// # Contract
/// * A resolver with [`is_pure`](Self::is_pure) is commutative, associative and idempotent: any
///   order of arrival gives the same bytes on every node. It runs inline, on every node.
/// * Any other resolver runs on the Resolver actor's thread, at one owner per key; its result is a
///   logged write. It may be slow, and it may panic: only its own keyspace suffers.
pub trait Resolver: Send + Sync {
    /// The name in configuration files.
    fn name(&self) -> &str;

    /// Version of its rule; part of every conflict record.
    fn version(&self) -> u32 {
        1
    }

    /// Whether it may run inline on every node. See the contract.
    fn is_pure(&self) -> bool;

    /// Appends the resolved value to `out`, or keeps the siblings.
    ///
    /// # Errors
    /// When it cannot decide; the conflict stays recorded and unresolved.
    fn resolve(&self, conflict: &Conflict, out: &mut BytesMut) -> Result<Resolution, ResolveError>;
}
