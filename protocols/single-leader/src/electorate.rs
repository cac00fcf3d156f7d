//! Who votes, and how many votes make a leader.

use repertoire_core::{Acks, NodeId};

use crate::state::State;

/// The replicas that vote, in the order of their placement.
pub(crate) fn voters(state: &State) -> impl Iterator<Item = NodeId> + '_ {
    state.descriptor.voters(state.group.shard)
}

// ANCHOR: election_quorum
/// Votes that make a leader in a group of `voters`: a majority, and enough to meet each set of
/// replicas that `acks` waits for. Of `async`, which waits for nobody, nothing is protected.
pub(crate) fn election_quorum(voters: usize, acks: Acks) -> usize {
    let majority = voters / 2 + 1;
    let copies = match acks.copies(voters) {
        0 | 1 => voters,
        copies => copies,
    };
    majority.max((voters + 1).saturating_sub(copies))
}
// ANCHOR_END: election_quorum

/// Whether so many votes make a leader, when some of them are blank. Those count for the majority, which
/// keeps leaders apart. What was acknowledged with the keyspace's copies, or by a majority, must be met
/// by the others: each blank voter may have lost one of the copies, and is one fewer to hold any.
pub(crate) fn is_election_quorum(voters: usize, acks: Acks, granted: usize, blank: usize) -> bool {
    let majority = voters / 2 + 1;
    let copies = match acks.copies(voters) {
        0 | 1 => majority,
        copies => copies.min(majority),
    };
    let whole = granted.saturating_sub(blank);
    granted >= majority && whole >= (voters + 1).saturating_sub(copies)
}

#[cfg(test)]
#[path = "electorate_test.rs"]
mod tests;
