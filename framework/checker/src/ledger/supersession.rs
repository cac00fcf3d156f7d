//! Which writes were overwritten by one that is still there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Ledger};
use crate::history::{OpKind, WriteId};

/// The writes that the final state accounts for: those in it, and those that they replaced.
///
/// A discard record excuses the discarded write alone: what it had replaced must be there again.
pub(super) fn survivors(ledger: &Ledger<'_>, evidence: &Evidence) -> BTreeSet<WriteId> {
    let replaced = replaced(ledger, evidence);
    let mut survivors = BTreeSet::new();
    // From the final state backwards takes linear time, and never enters a circle of writes that
    // only replaced each other.
    let mut pending = roots(ledger, evidence);
    while let Some(write) = pending.pop() {
        if survivors.insert(write) {
            pending.extend(replaced.get(&write).into_iter().flatten());
        }
    }
    survivors
}

/// For each write, the writes that it replaced directly.
fn replaced(ledger: &Ledger<'_>, evidence: &Evidence) -> BTreeMap<WriteId, Vec<WriteId>> {
    let mut replaced: BTreeMap<WriteId, Vec<WriteId>> = BTreeMap::new();
    let orders = evidence.applied.values();
    let neighbours = orders.flat_map(|order| order.iter().zip(order.iter().skip(1)));
    let relation = evidence.superseded.iter();
    let related = relation.flat_map(|(earlier, laters)| laters.iter().map(move |l| (earlier, l)));
    for (earlier, later) in neighbours.chain(related) {
        let keys = (ledger.issuer(*earlier), ledger.issuer(*later));
        // A write to another key, or one that nobody issued, replaces nothing.
        if matches!(keys, (Some(earlier), Some(later)) if earlier.key == later.key) {
            replaced.entry(*later).or_default().push(*earlier);
        }
    }
    replaced
}

/// What is itself in the final state: visible values, recorded losers, and deletes of keys that
/// are absent.
fn roots(ledger: &Ledger<'_>, evidence: &Evidence) -> Vec<WriteId> {
    let visible = evidence.visible.values().flatten().copied();
    let losers = evidence.conflicts.iter().copied();
    let deletes = ledger.issued.iter().filter(|(_, op)| {
        let values = evidence.visible.get(&op.key);
        matches!(op.kind, OpKind::Delete { .. }) && values.is_some_and(BTreeSet::is_empty)
    });
    visible
        .chain(losers)
        .chain(deletes.map(|(write, _)| *write))
        .collect()
}
