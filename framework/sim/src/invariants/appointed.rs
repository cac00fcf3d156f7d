//! Appointed leaders (SL1): where a controller appoints, nobody leads whom it has not chosen.

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// Who may be elected, and the newest epoch that it was chosen for or has asked for since.
#[derive(Clone, Debug)]
pub(crate) struct Appointments {
    nodes: Vec<(usize, u64)>,
}

impl Default for Appointments {
    /// The first replica leads a new group.
    fn default() -> Self {
        Self {
            nodes: vec![(0, 1)],
        }
    }
}

impl Appointments {
    /// That node is to lead, from that epoch or a later one.
    pub(crate) fn note(&mut self, node: usize, epoch: u64) {
        self.nodes.push((node, epoch));
    }

    /// A node asks for votes. Until it hears who leads, it goes on from that epoch.
    pub(crate) fn ask(&mut self, node: usize, epoch: u64) {
        if self.is_chosen(node) {
            self.note(node, epoch);
        }
    }

    /// A replica was elected. Whoever was chosen for an earlier epoch has missed it.
    pub(crate) fn judge(&mut self, at: Place, epoch: u64, findings: &mut Findings) {
        findings.require(self.is_chosen(at.node), "SL1.appointed", || {
            format!("{at:?}: leads in epoch {epoch}, and nobody has chosen it")
        });
        self.nodes.retain(|(_, begin)| *begin >= epoch);
        self.nodes.push((at.node, epoch));
    }

    fn is_chosen(&self, node: usize) -> bool {
        self.nodes.iter().any(|(chosen, _)| *chosen == node)
    }
}
