//! Recovery finds everything that was durable, and nothing that was never written (A3).

use repertoire_core::{Durability, RecoveredGroup, RecoveredStream, StreamId};

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;
use crate::invariants::state_machine::Canon;
use crate::watch::{Content, LogStates};

const ID: &str = "A3.recovery";

/// Judges what a log held after a restart: the state after some operation that was written, and after
/// the last one unless what was not synced may be lost.
pub(crate) fn judge_log(
    at: Place,
    stream: &RecoveredStream,
    log: &mut LogStates,
    may_lose: bool,
    findings: &mut Findings,
) {
    let (written, durable) = (log.written.last(), log.durable.last());
    let is_possible = log.recover(stream.last, may_lose);
    findings.require(is_possible, ID, || {
        let last = stream.last;
        format!("{at:?}: recovered up to {last}; {written} was written, {durable} synced")
    });
}

/// Judges what a log held after bits of it flipped: it lacks nothing that it had written down as synced,
/// or it says that it is damaged. Of a disk that is another one nothing can be said.
pub(crate) fn judge_rotten(
    at: Place,
    found: &RecoveredGroup,
    log: &mut LogStates,
    durability: Durability,
    is_blank: bool,
    findings: &mut Findings,
) {
    let stream = found.streams.get(&StreamId(0));
    let last = stream.map(|stream| stream.last).unwrap_or_default();
    let durable = log.durable.last();
    let is_whole = log.recover_rotten(last, !may_lose_written(durability));
    findings.require(is_whole || found.damaged || is_blank, ID, || {
        format!("{at:?}: recovered up to {last} of {durable} synced, and damage is not mentioned")
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
        let expected = canon
            .at(key, lsn)
            .map_or(Content::Absent, |version| version.content);
        let cell = engine.get(repertoire_core::Space::Data, &key.bytes());
        let found = cell.map_or(Content::Foreign(1), |cell| {
            Content::of_cell(key, cell.as_deref()).0
        });
        findings.require(found == expected, "A3.snapshot-state", || {
            format!("{at:?}: the snapshot of {lsn} has {found:?} under {key:?}, not {expected:?}")
        });
    }
}

/// Whether losing unsynced bytes is no breach at this durability.
pub(crate) const fn may_lose_written(durability: Durability) -> bool {
    matches!(durability, Durability::Disk)
}
