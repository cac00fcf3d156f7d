//! Election safety (SL1): in one epoch one node makes entries, and no other.

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// Which node made the entries of each epoch.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    by_epoch: Vec<(u64, usize)>,
}

impl Origins {
    /// An entry that no log held before appears at `at`: that node made it.
    pub(crate) fn judge(&mut self, at: Place, epoch: u64, first: u64, findings: &mut Findings) {
        let known = self.by_epoch.iter().rev().find(|known| known.0 == epoch);
        match known {
            None => self.by_epoch.push((epoch, at.node)),
            Some((_, node)) => findings.require(*node == at.node, "SL1.one-leader", || {
                format!("{at:?}: makes {first}@{epoch}, an epoch in which node {node} leads")
            }),
        }
    }
}
