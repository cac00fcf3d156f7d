//! Convergence (SL liveness, SL9): once faults are over, all live replicas of a keyspace stand at one
//! position with one state; and whenever two replicas are seen at one position, their states are one.

use crate::invariants::Findings;

const ID: &str = "SL9.digest";

/// States seen, by position.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    seen: Vec<(u64, u128, usize)>,
}

impl Digests {
    /// Judges the state of a replica against others at the same position. Returns whether there was
    /// one of another node.
    pub(crate) fn judge(
        &mut self,
        node: usize,
        group: usize,
        lsn: u64,
        digest: u128,
        findings: &mut Findings,
    ) -> bool {
        let at = self.seen.partition_point(|seen| seen.0 < lsn);
        let known = self.seen.get(at).filter(|seen| seen.0 == lsn).copied();
        let Some((_, expected, by)) = known else {
            self.seen.insert(at, (lsn, digest, node));
            return false;
        };
        findings.require(expected == digest, ID, || {
            format!(
                "keyspace {group}: at {lsn} node {node} has state {digest:x}, node {by} had \
                 {expected:x}"
            )
        });
        by != node
    }
}
