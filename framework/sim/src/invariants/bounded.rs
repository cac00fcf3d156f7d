//! Queues are bounded (A8): what waits is a function of what clients and peers may have under way.

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// Writes that may wait in one replica: every client's depth, with its retries and duplicates.
const WRITES_MAX: usize = 1024;
/// Log operations that may wait for one disk.
const LOG_OPS_MAX: usize = 20_000;

/// Judges the queues of one replica and its node's log.
pub(crate) fn judge(at: Place, writes: usize, log_ops: usize, findings: &mut Findings) {
    findings.require(
        writes <= WRITES_MAX && log_ops <= LOG_OPS_MAX,
        "A8.bounded",
        || format!("{at:?}: {writes} writes and {log_ops} log operations wait"),
    );
}
