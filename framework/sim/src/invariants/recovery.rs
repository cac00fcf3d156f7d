//! Recovery finds everything that was durable, and nothing that was never written (A3).

use repertoire_core::{Durability, RecoveredStream};

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;
use crate::invariants::state_machine::Canon;
use crate::watch::{Content, Extent};

const ID: &str = "A3.recovery";

/// Judges what a log held after a restart. `after_power_loss` tells whether what was only written
/// may be gone.
pub(crate) fn judge_log(
    at: Place,
    stream: &RecoveredStream,
    written: &Extent,
    durable: &Extent,
    after_power_loss: bool,
    findings: &mut Findings,
) {
    let last = stream.last;
    let least = if after_power_loss { durable } else { written };
    findings.require(last.lsn.0 >= least.last(), ID, || {
        format!("{at:?}: recovered up to {last}, but {} was safe", least.last())
    });
    findings.require(last.lsn.0 <= written.last().max(durable.last()), ID, || {
        format!("{at:?}: recovered up to {last}, but only {} was written", written.last())
    });
    let expected = written.epoch_at(last.lsn.0);
    let is_known = last.lsn.0 == 0 || last.lsn == stream.base.lsn || last.epoch.0 == expected;
    findings.require(is_known, ID, || {
        format!("{at:?}: recovered {last}, written in epoch {expected}")
    });
}

/// Judges a state loaded from a snapshot of `lsn`: it is what the log up to there makes.
pub(crate) fn judge_state(
    at: Place,
    lsn: u64,
    canon: &Canon,
    engine: &dyn repertoire_core::StorageEngine,
    findings: &mut Findings,
) {
    for key in canon.keys() {
        let expected = canon.at(key, lsn).map_or(Content::Absent, |version| version.content);
        let cell = engine.get(repertoire_core::Space::Data, &key.bytes());
        let found = cell.map_or(Content::Foreign(1), |cell| Content::of_cell(key, cell.as_deref()).0);
        findings.require(found == expected, "A3.snapshot-state", || {
            format!("{at:?}: the snapshot of {lsn} has {found:?} under {key:?}, not {expected:?}")
        });
    }
}

/// Whether losing unsynced bytes is no breach at this durability.
pub(crate) const fn may_lose_written(durability: Durability) -> bool {
    matches!(durability, Durability::Disk)
}
