//! Epoch, commit and applied never go back on a node within one boot (A5).

use repertoire_core::{Role, Vitals};

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;

/// What a replica said of itself last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    epoch: u64,
    commit: u64,
    applied: u64,
}

impl Progress {
    /// The newest epoch that it said it knows.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Judges what a replica says of itself now. `reinstalled`: a snapshot took the state's place.
    #[inline]
    pub(crate) fn judge(&mut self, at: Place, vitals: &Vitals, findings: &mut Findings) {
        let now = Self {
            epoch: vitals.epoch.0,
            commit: vitals.commit.0,
            applied: vitals.applied.0,
        };
        let goes_on =
            now.epoch >= self.epoch && now.commit >= self.commit && now.applied >= self.applied;
        findings.require(goes_on, "A5.monotone", || {
            format!("{at:?}: from {self:?} to {now:?}")
        });
        *self = now;
    }
}

/// Judges that two replicas do not lead in one epoch (SL1), by what they say of themselves.
pub(crate) fn judge_roles(group: usize, replicas: &[(usize, Vitals)], findings: &mut Findings) {
    let leaders = || {
        replicas
            .iter()
            .filter(|(_, vitals)| vitals.role == Role::Leader)
    };
    for (node, vitals) in leaders() {
        let rival = leaders().find(|(other, theirs)| other > node && theirs.epoch == vitals.epoch);
        if let Some((other, _)) = rival {
            findings.add("SL1.one-leader", || {
                format!(
                    "keyspace {group}: nodes {node} and {other} lead in {}",
                    vitals.epoch
                )
            });
        }
    }
}
