//! Queues are bounded (A8): what waits is a function of what clients and peers may have under way.

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// Attempts at one request that may wait in one replica: a client tries again as often as its patience
/// ends while the node stands still, and messages are duplicated. Here no link's credit ends that.
const ATTEMPTS_MAX: usize = 256;
/// Log operations that may wait for one disk.
const LOG_OPS_MAX: usize = 20_000;

/// Judges the queues of one replica and its node's log; its clients have up to `requests` under way.
pub(crate) fn judge(
    at: Place,
    requests: usize,
    writes: usize,
    log_ops: usize,
    findings: &mut Findings,
) {
    findings.require(
        writes <= requests * ATTEMPTS_MAX && log_ops <= LOG_OPS_MAX,
        "A8.bounded",
        || format!("{at:?}: {writes} writes and {log_ops} log operations wait"),
    );
}
