//! Convergence: at quiescence, all replicas hold the same state.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use crate::report::{Report, Violation, invariant};

/// Checks that all `digests`, pairs of a replica and the digest of its state, are equal; `scope`
/// says of what, usually a keyspace. The one violation names every replica, grouped by digest with
/// the largest group first. The facts counted are replicas; none at all is inconclusive.
///
/// The digests mean what the caller makes them mean: take them after the last message was
/// delivered, at equal positions, over everything that must agree, tombstones included.
///
/// ```
/// use repertoire_checker::convergence;
///
/// let report = convergence::check("carts", [("n1", 0xaa), ("n2", 0xbb), ("n3", 0xaa)]);
/// assert_eq!(
///     report.violations[0].to_string(),
///     "ML1: carts: 3 replicas hold 2 states: {n1, n3} have 170; {n2} have 187",
/// );
/// ```
pub fn check<R: Display, D: Ord + Debug>(
    scope: &str,
    digests: impl IntoIterator<Item = (R, D)>,
) -> Report {
    let mut states: BTreeMap<D, Vec<String>> = BTreeMap::new();
    for (replica, digest) in digests {
        states.entry(digest).or_default().push(replica.to_string());
    }
    let replicas = states.values().map(Vec::len).sum();
    let mut report = Report::examined(replicas);
    if states.is_empty() {
        let detail = format!("{scope}: no replica to compare");
        report.add(Violation::new(invariant::INCONCLUSIVE, detail));
    } else if states.len() > 1 {
        let mut groups: Vec<_> = states.iter().collect();
        groups.sort_by_key(|(_, group)| usize::MAX - group.len());
        let groups: Vec<_> = groups
            .iter()
            .map(|(digest, group)| format!("{{{}}} have {digest:?}", group.join(", ")))
            .collect();
        let (count, groups) = (groups.len(), groups.join("; "));
        let detail = format!("{scope}: {replicas} replicas hold {count} states: {groups}");
        report.add(Violation::new(invariant::CONVERGENCE, detail));
    }
    report
}
