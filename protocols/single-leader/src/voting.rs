//! Who gets a vote (Raft §5.4.1): a candidate whose log is as new as the voter's own, in an epoch in which
//! the voter has voted for nobody else, while the voter hears no leader.

use repertoire_core::Mono;
use repertoire_core::NodeId;
use repertoire_core::sabotage::{Bug, planted};

use crate::message::{Stage, VoteRequest};
use crate::replica::{Part, SingleLeader};

impl SingleLeader {
    /// Whether the candidate gets, or would get, this replica's vote.
    pub(crate) fn would_vote(&self, now: Mono, candidate: NodeId, request: &VoteRequest) -> bool {
        let state = &self.state;
        let is_bound = match &self.part {
            Part::Leading(leading) => {
                leading.quiescence.is_quiescent() || leading.holds_quorum(now, state)
            }
            Part::Following(_) => self
                .election
                .as_ref()
                .is_some_and(|election| election.is_bound(now, state)),
        };
        if is_bound && request.stage != Stage::TakeOver {
            return false;
        }
        let is_free = match request.epoch.cmp(&state.hard.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => {
                let is_same = state.hard.vote == Some(candidate);
                let is_unused = state.hard.vote.is_none() && state.hard.leader.is_none();
                let is_changed =
                    planted(Bug::SecondVoteInEpoch) && state.hard.vote != Some(state.me);
                request.stage.is_binding() && (is_same || is_unused || is_changed)
            }
        };
        let own = state.log.last();
        // A candidate that misses a change of the members may count votes of a group that is no more. Its log
        // tells, except when losses are accepted: then the voter looks at the change alone.
        let changed = state.log.roll().at();
        let is_behind_members =
            (request.last.epoch, request.last.lsn) < (changed.epoch, changed.lsn);
        if request.stage == Stage::Forced && is_behind_members {
            return false;
        }
        let is_as_new = (request.last.epoch, request.last.lsn) >= (own.epoch, own.lsn)
            || request.stage == Stage::Forced
            || planted(Bug::VoteForOlderLog)
            // A blank vote says nothing of the log, which may hold what nobody else does.
            || self.is_amnesiac();
        is_free && is_as_new
    }
}
