//! Who votes, and how many votes make a leader.
//!
//! While a change of the members may still be taken back, there are two memberships: the one in force,
//! and the one before it. Majorities of the two always meet, since they differ by one voter. What was
//! acknowledged by fewer than a majority may be met by no quorum of the other: then a candidate asks
//! both.

use std::collections::BTreeSet;

use repertoire_core::{Acks, Incarnation, Membership, NodeId};

use crate::state::State;

/// The replicas that vote, in the order of their placement.
pub(crate) fn voters(state: &State) -> impl Iterator<Item = NodeId> + '_ {
    state.membership().voters()
}

/// Those that a candidate asks, and the disk on which each is known to be.
pub(crate) fn electors(state: &State) -> Vec<(NodeId, Option<Incarnation>)> {
    let groups = std::iter::once(state.membership()).chain(state.former_membership());
    let mut electors: Vec<(NodeId, Option<Incarnation>)> = Vec::new();
    for group in groups {
        for node in group.voters() {
            if electors.iter().all(|(known, _)| *known != node) {
                electors.push((node, disk_of(group, node)));
            }
        }
    }
    electors
}

fn disk_of(group: &Membership, node: NodeId) -> Option<Incarnation> {
    group.member(node).and_then(|member| member.incarnation)
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
    let copies = protected_copies(voters, acks);
    let whole = granted.saturating_sub(blank);
    granted >= majority && whole >= (voters + 1).saturating_sub(copies)
}

/// The fewest copies of anything that elections must not lose.
fn protected_copies(voters: usize, acks: Acks) -> usize {
    let majority = voters / 2 + 1;
    match acks.copies(voters) {
        0 | 1 => majority,
        copies => copies.min(majority),
    }
}

// ANCHOR: asks_former
/// Whether a quorum of the `present` voters may miss copies that were acknowledged while there were
/// `former`, one more or one fewer: then the former voters are asked as well.
pub(crate) fn asks_former(former: usize, present: usize, acks: Acks) -> bool {
    let quorum = election_quorum(present, acks);
    let copies = protected_copies(former, acks);
    if present > former {
        // One of the quorum may be the new voter.
        quorum.saturating_sub(1) + copies <= former
    } else {
        // One of the copies may be on the voter that has left.
        quorum + copies.saturating_sub(1) <= present
    }
}

/// Copies among the `former` voters that an entry needs, so that no leader whom they elect lacks it
/// while the change of the members may still be taken back.
pub(crate) fn former_copies(former: usize, asked: Acks, keyspace: Acks) -> usize {
    let meets = (former + 1).saturating_sub(election_quorum(former, keyspace));
    asked.copies(former).min(meets)
}
// ANCHOR_END: asks_former

/// Whether those votes make a leader.
pub(crate) fn is_elected(
    state: &State,
    granted: &BTreeSet<NodeId>,
    blank: &BTreeSet<NodeId>,
    extra: usize,
) -> bool {
    let acks = state.descriptor.options.acks;
    let elects = |group: &Membership| {
        let count = |given: &BTreeSet<NodeId>| group.voters().filter(|n| given.contains(n)).count();
        let voters = group.voters().count();
        is_election_quorum(voters, acks, count(granted) + extra, count(blank))
    };
    let present = state.membership();
    let former = state.former_membership().filter(|former| {
        let (former, present) = (former.voters().count(), present.voters().count());
        !blank.is_empty() || former != present && asks_former(former, present, acks)
    });
    elects(present) && former.is_none_or(elects)
}

/// Whether those votes are a majority: what it takes when losses are accepted, since fewer replicas cannot
/// say that nobody else leads.
pub(crate) fn has_majority(state: &State, granted: &BTreeSet<NodeId>) -> bool {
    let group = state.membership();
    let given = group.voters().filter(|node| granted.contains(node)).count();
    given > group.voters().count() / 2
}

#[cfg(test)]
#[path = "electorate_test.rs"]
mod tests;
