//! The database's side of the ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::WriteId;

/// What the database shows at quiescence: after the last fault healed and replicas converged.
///
/// Methods add up, so that evidence can be collected shard by shard.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub(super) visible: BTreeMap<Vec<u8>, BTreeSet<WriteId>>,
    pub(super) applied: BTreeMap<Vec<u8>, Vec<WriteId>>,
    pub(super) superseded: BTreeMap<WriteId, BTreeSet<WriteId>>,
    pub(super) conflicts: BTreeSet<WriteId>,
    pub(super) discards: BTreeMap<WriteId, BTreeMap<u128, u64>>,
    pub(super) applications: BTreeMap<WriteId, u64>,
    pub(super) counters: BTreeMap<Vec<u8>, i64>,
}

impl Evidence {
    /// No evidence.
    pub fn new() -> Self {
        Self::default()
    }

    /// The final values of `key`: one, several siblings, or none when it is absent. Call it for
    /// each key that was written to, also for the absent ones. A tombstone may be listed.
    pub fn visible(
        &mut self,
        key: impl Into<Vec<u8>>,
        values: impl IntoIterator<Item = WriteId>,
    ) -> &mut Self {
        self.visible.entry(key.into()).or_default().extend(values);
        self
    }

    /// The writes to `key` in the final history, oldest first: each one supersedes those before
    /// it. For databases with one order per key.
    pub fn applied(
        &mut self,
        key: impl Into<Vec<u8>>,
        writes: impl IntoIterator<Item = WriteId>,
    ) -> &mut Self {
        self.applied.entry(key.into()).or_default().extend(writes);
        self
    }

    /// Says that `later` knowingly replaced `earlier`: its causal context contained it. For
    /// databases without one order per key.
    pub fn superseded(&mut self, earlier: WriteId, later: WriteId) -> &mut Self {
        self.superseded.entry(earlier).or_default().insert(later);
        self
    }

    /// A conflict record that keeps `loser`.
    pub fn conflict(&mut self, loser: WriteId) -> &mut Self {
        self.conflicts.insert(loser);
        self
    }

    /// A discard record of `write`, made for the entry at `position` (epoch and log position,
    /// packed) of the demoted log. The same write may be discarded at two positions, by two
    /// failovers, but two records of one position are a violation: collect them at one replica.
    pub fn discarded(&mut self, write: WriteId, position: u128) -> &mut Self {
        *self
            .discards
            .entry(write)
            .or_default()
            .entry(position)
            .or_default() += 1;
        self
    }

    /// Adds `count` applications of `write`, as one replica counted them. More than one in all is
    /// a violation. Repeats in [`applied`](Self::applied) are found without it.
    pub fn applications(&mut self, write: WriteId, count: u64) -> &mut Self {
        let total = self.applications.entry(write).or_default();
        *total = total.saturating_add(count);
        self
    }

    /// The final value of the counter of `key`.
    pub fn counter(&mut self, key: impl Into<Vec<u8>>, value: i64) -> &mut Self {
        self.counters.insert(key.into(), value);
        self
    }
}
