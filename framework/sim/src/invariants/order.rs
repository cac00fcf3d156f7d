//! State ordering (A4): snapshot ≤ applied ≤ commit ≤ last, and a log is never trimmed beyond what a
//! durable snapshot covers.

use repertoire_core::Vitals;

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

const ID: &str = "A4.state-order";

/// Judges what a replica says of itself.
#[inline]
pub(crate) fn judge(at: Place, vitals: &Vitals, findings: &mut Findings) {
    let chain = [vitals.snapshot, vitals.applied, vitals.commit, vitals.last];
    findings.require(chain.is_sorted(), ID, || {
        format!("{at:?}: snapshot, applied, commit, last are {chain:?}")
    });
}

/// Judges the announcement that everything up to `upto` is in a durable snapshot.
pub(crate) fn judge_checkpoint(
    at: Place,
    upto: u64,
    durable_snapshot: u64,
    findings: &mut Findings,
) {
    findings.require(upto <= durable_snapshot, "A4.checkpoint", || {
        format!(
            "{at:?}: allows trimming up to {upto}; its durable snapshot ends at {durable_snapshot}"
        )
    });
}
