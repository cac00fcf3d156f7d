//! The bounds of counters.

use std::collections::BTreeMap;

use super::{Evidence, Ledger};
use crate::history::Fate;
use crate::report::{KeyName, Report, Violation, invariant};

/// The least and the greatest value that the answers to the clients allow.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    low: i128,
    high: i128,
}

impl Bounds {
    fn certain(&mut self, by: i128) {
        self.low += by;
        self.high += by;
    }

    fn possible(&mut self, by: i128) {
        self.low += by.min(0);
        self.high += by.max(0);
    }
}

/// Final values outside the bounds that the increments allow. The facts counted are increments
/// that were not refused.
pub(super) fn bounds(ledger: &Ledger<'_>, evidence: &Evidence, report: &mut Report) {
    let mut allowed: BTreeMap<&[u8], Bounds> = BTreeMap::new();
    for (write, op, by) in ledger.increments() {
        let by = i128::from(by);
        let bounds = allowed.entry(&op.key).or_default();
        let is_discarded = evidence.discards.contains_key(&write);
        match op.fate() {
            Fate::NotApplied => continue,
            // A discarded increment may still count: its client may have sent it again.
            Fate::Applied if !is_discarded => bounds.certain(by),
            Fate::Applied | Fate::Unknown => bounds.possible(by),
        }
        report.checked += 1;
        if is_discarded && ledger.is_lossless(op) {
            let key = KeyName(&op.key);
            let detail = format!("key {key}: increment {write} ({}) was discarded", op.id);
            report.add(Violation::new(invariant::DURABLE_ACK, detail));
        }
    }
    // A counter that nobody incremented is bounded too, by 0.
    for key in evidence.counters.keys() {
        allowed.entry(key).or_default();
    }
    for (key, Bounds { low, high }) in allowed {
        let name = KeyName(key);
        let Some(value) = evidence.counters.get(key) else {
            let detail = format!("key {name}: the final value of its counter was not collected");
            report.add(Violation::new(invariant::INCONCLUSIVE, detail));
            continue;
        };
        let detail = format!("key {name}: the counter ends at {value}, not in {low} ..= {high}");
        if i128::from(*value) < low {
            report.add(Violation::new(invariant::DURABLE_ACK, detail));
        } else if i128::from(*value) > high {
            report.add(Violation::new(invariant::AT_MOST_ONCE, detail));
        }
    }
}
