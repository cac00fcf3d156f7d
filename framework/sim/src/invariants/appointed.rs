//! Appointed leaders (SL1): where a controller appoints, nobody leads whom it has not chosen.

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// Who may be elected, and in which epoch it was to begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Appointments {
    nodes: Vec<(usize, u64)>,
}

impl Appointments {
    /// That node is to lead, from that epoch or a later one.
    pub(crate) fn note(&mut self, node: usize, epoch: u64) {
        self.nodes.push((node, epoch));
    }

    /// A replica was elected. Whoever was chosen for an earlier epoch has missed it.
    pub(crate) fn judge(&mut self, at: Place, epoch: u64, findings: &mut Findings) {
        let is_first = epoch == 1;
        let is_chosen = self.nodes.iter().any(|(node, _)| *node == at.node);
        findings.require(is_first || is_chosen, "SL1.appointed", || {
            format!("{at:?}: leads in epoch {epoch}, and nobody has chosen it")
        });
        self.nodes.retain(|(_, begin)| *begin >= epoch);
        self.nodes.push((at.node, epoch));
    }
}
