//! Which writes were overwritten by one that is still there.

use std::collections::BTreeSet;

use super::{Evidence, Ledger};
use crate::history::{OpKind, Operation, WriteId};

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
            let start = replaced.partition_point(|(later, _)| *later < write);
            let rest = replaced.get(start..).unwrap_or_default();
            let its = rest.iter().take_while(|(later, _)| *later == write);
            pending.extend(its.map(|(_, earlier)| *earlier));
        }
    }
    survivors
}

/// Each write with each one that it replaced directly, sorted.
fn replaced(ledger: &Ledger<'_>, evidence: &Evidence) -> Vec<(WriteId, WriteId)> {
    let mut replaced = Vec::new();
    // A write to another key, or one that nobody issued, replaces nothing.
    for order in evidence.applied.values() {
        let mut before: Option<(WriteId, &Operation)> = None;
        for write in order {
            let issuer = ledger.issuer(*write);
            if let (Some((earlier, replaced_op)), Some(op)) = (before, issuer)
                && replaced_op.key == op.key
            {
                replaced.push((*write, earlier));
            }
            before = issuer.map(|op| (*write, op));
        }
    }
    for (earlier, laters) in &evidence.superseded {
        for later in laters {
            let issuers = (ledger.issuer(*earlier), ledger.issuer(*later));
            if matches!(issuers, (Some(earlier), Some(later)) if earlier.key == later.key) {
                replaced.push((*later, *earlier));
            }
        }
    }
    replaced.sort_unstable();
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
