//! The comparison of promises with evidence.

use std::collections::BTreeSet;

use super::supersession::survivors;
use super::{Evidence, Ledger, counters};
use crate::history::{Fate, Operation, WriteId};
use crate::report::{KeyName, Report, Violation, invariant};

/// All checks, in a fixed order.
pub(super) fn audit(ledger: &Ledger<'_>, evidence: &Evidence) -> Report {
    let mut report = Report::default();
    losses(ledger, evidence, &mut report);
    phantoms(ledger, evidence, &mut report);
    repeats(evidence, &mut report);
    counters::bounds(ledger, evidence, &mut report);
    report
}

/// Acknowledged writes that are gone without an excuse.
fn losses(ledger: &Ledger<'_>, evidence: &Evidence, report: &mut Report) {
    let survivors = survivors(ledger, evidence);
    let mut unread: BTreeSet<&[u8]> = BTreeSet::new();
    for (write, op) in ledger.acknowledged_values() {
        report.checked += 1;
        if survivors.contains(&write) {
            continue;
        }
        let is_discarded = evidence.discards.contains_key(&write);
        let is_lossless = ledger.is_lossless(op);
        if is_discarded && is_lossless {
            let detail = format!("{} was discarded by a failover", describe(write, op));
            report.add(Violation::new(invariant::DURABLE_ACK, detail));
        } else if is_discarded {
            // Lost, as this level allows, and said so.
        } else if evidence.visible.contains_key(&op.key) {
            let promise = if is_lossless {
                invariant::DURABLE_ACK
            } else {
                invariant::NO_SILENT_DISCARD
            };
            let detail = format!(
                "{} is neither visible, nor superseded by a visible write, nor recorded",
                describe(write, op)
            );
            report.add(Violation::new(promise, detail));
        } else {
            unread.insert(&op.key);
        }
    }
    for key in unread {
        let detail = format!("key {}: its final values were not collected", KeyName(key));
        report.add(Violation::new(invariant::INCONCLUSIVE, detail));
    }
}

/// One acknowledged write, in words.
fn describe(write: WriteId, op: &Operation) -> String {
    let level = op
        .ack_level
        .as_ref()
        .map(|level| format!(" at level {level}"))
        .unwrap_or_default();
    format!(
        "key {}: {write} ({}), acknowledged{level},",
        KeyName(&op.key),
        op.id
    )
}

/// Ids in the evidence that no client issued, or that were refused, or that are on another key.
fn phantoms(ledger: &Ledger<'_>, evidence: &Evidence, report: &mut Report) {
    let visible = evidence
        .visible
        .iter()
        .flat_map(|(key, ids)| ids.iter().map(move |id| (key, id)));
    let applied = evidence
        .applied
        .iter()
        .flat_map(|(key, ids)| ids.iter().map(move |id| (key, id)));
    let keyed = visible
        .map(|at| (at, "is visible"))
        .chain(applied.map(|at| (at, "was applied")));
    for ((key, write), what) in keyed {
        report.checked += 1;
        let fault = match ledger.issuer(*write) {
            None => "which no client issued".to_owned(),
            Some(op) if op.fate() == Fate::NotApplied => {
                format!("which {} was told is not applied", op.id)
            }
            Some(op) if op.key != *key => format!("issued for key {}", KeyName(&op.key)),
            Some(_) => continue,
        };
        let detail = format!("key {}: {write}, {fault}, {what}", KeyName(key));
        report.add(Violation::new(invariant::NO_PHANTOM, detail));
    }
    let replacements = evidence
        .superseded
        .values()
        .flatten()
        .map(|id| (id, "superseded a write"));
    let losers = evidence
        .conflicts
        .iter()
        .map(|id| (id, "is in a conflict record"));
    let discards = evidence
        .discards
        .keys()
        .map(|id| (id, "is in a discard record"));
    for (write, what) in replacements.chain(losers).chain(discards) {
        report.checked += 1;
        if ledger.issuer(*write).is_none() {
            let detail = format!("{write}, which no client issued, {what}");
            report.add(Violation::new(invariant::NO_PHANTOM, detail));
        }
    }
}

/// Writes that took effect twice, and discards that were recorded twice.
fn repeats(evidence: &Evidence, report: &mut Report) {
    let mut places: Vec<WriteId> = evidence.applied.values().flatten().copied().collect();
    places.sort_unstable();
    let counted = evidence
        .applications
        .iter()
        .filter(|(_, count)| **count > 1);
    for (write, count) in counted {
        let detail = format!("{write} took effect {count} times");
        report.add(Violation::new(invariant::AT_MOST_ONCE, detail));
    }
    for same in places.chunk_by(PartialEq::eq) {
        if let [write, _, ..] = same {
            let detail = format!("{write} is {} times in the applied order", same.len());
            report.add(Violation::new(invariant::AT_MOST_ONCE, detail));
        }
    }
    for (write, records) in &evidence.discards {
        for (position, count) in records.iter().filter(|(_, count)| **count > 1) {
            let detail = format!("{write} has {count} discard records for position {position}");
            report.add(Violation::new(invariant::NO_SILENT_DISCARD, detail));
        }
    }
}
