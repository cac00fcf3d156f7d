//! Epoch, commit and applied never go back on a node within one boot (A5).

use repertoire_core::{Role, Status};

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
    /// Judges what a replica says of itself now. `reinstalled`: a snapshot took the state's place.
    pub(crate) fn judge(&mut self, at: Place, status: &Status, findings: &mut Findings) {
        let now = Self {
            epoch: status.epoch.0,
            commit: status.commit_lsn.0,
            applied: status.applied_lsn.0,
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
pub(crate) fn judge_roles(group: usize, statuses: &[(usize, Status)], findings: &mut Findings) {
    let leaders = || {
        statuses
            .iter()
            .filter(|(_, status)| status.role == Role::Leader)
    };
    for (node, status) in leaders() {
        let rival = leaders().find(|(other, theirs)| other > node && theirs.epoch == status.epoch);
        if let Some((other, _)) = rival {
            findings.add("SL1.one-leader", || {
                format!(
                    "keyspace {group}: nodes {node} and {other} lead in {}",
                    status.epoch
                )
            });
        }
    }
}
