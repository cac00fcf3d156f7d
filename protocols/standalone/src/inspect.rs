//! What a person or a test may know of a replica.

use std::collections::BTreeMap;

use repertoire_core::{Role, Status, Vitals};

use crate::{NAME, Standalone};

impl Standalone {
    /// The numbers that every protocol has.
    pub(crate) fn numbers(&self) -> Vitals {
        let state = &self.state;
        Vitals {
            role: Role::Leader,
            epoch: state.epoch,
            last: state.last.lsn,
            commit: state.applied,
            applied: state.applied,
            snapshot: state.snapshot,
        }
    }

    /// The replica in numbers.
    pub(crate) fn status(&self) -> Status {
        let state = &self.state;
        let details = [
            ("pending_entries", state.pending.len()),
            ("waiting_proposals", self.waiting.len()),
        ];
        Status {
            protocol: NAME.to_owned(),
            role: Role::Leader,
            leader: Some(state.me),
            epoch: state.epoch,
            last: state.last,
            durable_lsn: state.durable,
            commit_lsn: state.applied,
            applied_lsn: state.applied,
            snapshot_lsn: state.snapshot,
            details: details
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value as u64))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
