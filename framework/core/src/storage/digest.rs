//! State digests: equal states have equal digests, on every engine and in any scan order.

use super::Space;

/// Digest of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDigest(pub u128);

impl RowDigest {
    /// The digest of `key` holding `value` in `space`.
    pub fn of(space: Space, key: &[u8], value: &[u8]) -> Self {
        // The key's hash seeds the value's, so that moving bytes between the two shows.
        let key_hash = xxhash_rust::xxh3::xxh3_64_with_seed(key, space as u64 + 1);
        Self(xxhash_rust::xxh3::xxh3_128_with_seed(value, key_hash))
    }
}

/// Order-independent sum over the rows of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateDigest(pub u128);

impl StateDigest {
    /// Adds a row.
    pub fn add(&mut self, row: RowDigest) {
        self.0 = self.0.wrapping_add(row.0);
    }

    /// Takes a row out again.
    pub fn remove(&mut self, row: RowDigest) {
        self.0 = self.0.wrapping_sub(row.0);
    }
}
