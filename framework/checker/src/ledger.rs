//! The lost-update ledger: what clients were promised, against what the database ended up with.
//!
//! It is the checker for protocols that are weaker than linearizable: they may reorder, and some
//! may even drop writes, but never in silence. From the clients' side it takes their
//! [`History`], from the database's side the [`Evidence`] collected at quiescence.
//!
//! * Every acknowledged write is visible, or superseded by a write that is, or in a conflict
//!   record, or in a discard record (`SL4`; `A1` where its acknowledgement level forbids discards).
//! * Everything visible, applied or recorded was issued, to that key, and not refused (`A2`).
//! * Nothing is applied twice (`SL10`).
//! * A counter lies between the acknowledged increments and those plus the unknown ones: below is
//!   a loss (`A1`), above a double application (`SL10`). Where a key has both increments and
//!   decrements the two faults look alike, and only the bounds are to be trusted.
//! * Evidence that was not collected is `INCONCLUSIVE`, hence a failure.

mod audit;
mod counters;
mod evidence;
mod supersession;

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Fate, History, OpKind, Operation, WriteId};
use crate::report::Report;

pub use evidence::Evidence;

/// The clients' side: every write that was issued, and what its client was told.
///
/// ```
/// use repertoire_checker::{Evidence, History, Ledger, OpId, OpKind, Operation, SessionId, WriteId};
///
/// let mut history = History::new();
/// for (op, at) in [(1, 10), (2, 30)] {
///     let put = OpKind::Write { id: WriteId(op.into()) };
///     let put = Operation::new(OpId(op), SessionId(1), "k", put, at).ok(at + 10);
///     history.push(put.acked_at("async"))?;
/// }
/// let ledger = Ledger::new(&history);
///
/// // The second write is visible, and the database shows that it replaced the first.
/// let mut evidence = Evidence::new();
/// evidence.visible("k", [WriteId(2)]).applied("k", [WriteId(1), WriteId(2)]);
/// assert!(ledger.audit(&evidence).is_clean());
///
/// // A failover lost the second write: fine if it left a record, a violation if it did not.
/// let mut evidence = Evidence::new();
/// evidence.visible("k", [WriteId(1)]).applied("k", [WriteId(1)]);
/// assert_eq!(ledger.audit(&evidence).violations[0].invariant, "SL4");
/// evidence.discarded(WriteId(2), 17);
/// assert!(ledger.audit(&evidence).is_clean());
/// # Ok::<(), repertoire_checker::HistoryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger<'a> {
    issued: BTreeMap<WriteId, &'a Operation>,
    lossless_levels: BTreeSet<String>,
}

impl<'a> Ledger<'a> {
    /// The ledger of all writes, deletes, compare-and-sets and increments of `history`.
    pub fn new(history: &'a History) -> Self {
        let operations = history.operations().iter();
        let issued = operations
            .filter_map(|op| Some((op.write_id()?, op)))
            .collect();
        Self {
            issued,
            lossless_levels: BTreeSet::new(),
        }
    }

    /// Declares that a write acknowledged at `level` outlives every fault of the run, so that a
    /// discard record does not excuse its loss (invariant `A1`).
    pub fn lossless(mut self, level: impl Into<String>) -> Self {
        self.lossless_levels.insert(level.into());
        self
    }

    /// Compares the ledger with `evidence`. The facts counted are the acknowledged writes and the
    /// ids in the evidence. Violations are sorted by kind, then by write or key.
    pub fn audit(&self, evidence: &Evidence) -> Report {
        audit::audit(self, evidence)
    }

    /// The operation that issued `write`.
    fn issuer(&self, write: WriteId) -> Option<&'a Operation> {
        self.issued.get(&write).copied()
    }

    /// The acknowledged writes that set a value or a tombstone.
    fn acknowledged_values(&self) -> impl Iterator<Item = (WriteId, &'a Operation)> {
        let issued = self.issued.iter().map(|(write, op)| (*write, *op));
        issued.filter(|(_, op)| op.fate() == Fate::Applied && !is_increment(op))
    }

    /// The increments, whatever became of them.
    fn increments(&self) -> impl Iterator<Item = (WriteId, &'a Operation, i64)> {
        self.issued.iter().filter_map(|(write, op)| match op.kind {
            OpKind::Increment { by, .. } => Some((*write, *op, by)),
            OpKind::Write { .. }
            | OpKind::Delete { .. }
            | OpKind::Read { .. }
            | OpKind::CompareAndSet { .. }
            | OpKind::ReadCounter { .. } => None,
        })
    }

    /// Whether `op` was acknowledged at a level that forbids discards.
    fn is_lossless(&self, op: &Operation) -> bool {
        op.ack_level
            .as_ref()
            .is_some_and(|level| self.lossless_levels.contains(level.as_ref()))
    }
}

fn is_increment(op: &Operation) -> bool {
    matches!(op.kind, OpKind::Increment { .. })
}
