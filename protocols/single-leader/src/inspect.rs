//! What a person or a test may know of a replica.

use std::collections::BTreeMap;
use std::time::Duration;

use repertoire_core::{Lsn, Role, Status, Vitals};

use crate::NAME;
use crate::following::Following;
use crate::progress::Phase;
use crate::replica::{Part, SingleLeader};
use crate::state::State;

impl SingleLeader {
    /// The replica in numbers. Details of a follower are named `follower-N-…`, N being its node.
    pub(crate) fn status(&self) -> Status {
        let state = &self.state;
        let (role, leader) = match self.part {
            Part::Leading(_) => (Role::Leader, Some(state.me)),
            Part::Following(_) => (Role::Follower, state.leader_hint()),
        };
        Status {
            protocol: NAME.to_owned(),
            role,
            leader,
            epoch: state.hard.epoch,
            last: state.log.last(),
            durable_lsn: state.log.durable(),
            commit_lsn: state.applied,
            applied_lsn: state.applied,
            snapshot_lsn: state.snapshot,
            details: self.details(),
        }
    }

    /// The numbers that every protocol has.
    pub(crate) fn numbers(&self) -> Vitals {
        let state = &self.state;
        let role = match self.part {
            Part::Leading(_) => Role::Leader,
            Part::Following(_) => Role::Follower,
        };
        Vitals {
            role,
            epoch: state.hard.epoch,
            last: state.log.last().lsn,
            commit: state.applied,
            applied: state.applied,
            snapshot: state.snapshot,
        }
    }

    fn details(&self) -> BTreeMap<String, u64> {
        let state = &self.state;
        let mut details = BTreeMap::new();
        let mut put = |name: &str, value: u64| {
            details.insert(name.to_owned(), value);
        };
        put("cache_bytes", state.log.window().bytes());
        put("cache_entries", state.log.window().len() as u64);
        put("log_ops_behind", state.log.behind() as u64);
        put("reads_held", state.held.len() as u64);
        put("log_base_lsn", state.log.base().lsn.0);
        put("is_voter", state.is_voter().into());
        put("voters", state.membership().voters().count() as u64);
        put("members_lsn", state.log.roll().at().lsn.0);
        put("discarded_writes", state.journal.len() as u64);
        let unlisted = state.journal.unlisted().map(|(_, records)| records);
        put("discarded_unlisted", unlisted.sum());
        match &self.part {
            Part::Following(following) => self.following_details(following, &mut put),
            Part::Leading(leading) => {
                put("is_ready", leading.is_ready(state).into());
                put("is_quiescent", leading.quiescence.is_quiescent().into());
                put("entries_pending", leading.pending() as u64);
                if let Some(to) = leading.transfer.target() {
                    put("transfer_to", to.0);
                }
                for follower in &leading.followers {
                    let node = follower.node.0;
                    let mut put = |name: &str, value: u64| {
                        put(&format!("follower-{node}-{name}"), value);
                    };
                    put("matched_lsn", follower.received.0);
                    put("durable_lsn", follower.durable.0);
                    put("applied_lsn", follower.applied.0);
                    put("next_lsn", follower.next.0);
                    put("in_flight_bytes", follower.in_flight_bytes());
                    put("lag_records", state.log.last().lsn.since(follower.applied));
                    // Entries that are in memory no more are not counted.
                    put(
                        "lag_bytes_min",
                        state.log.window().bytes_after(follower.applied),
                    );
                    if let Some(lag) = state.lag_of(follower.applied) {
                        put("lag_ms", milliseconds(lag));
                    }
                    put("rewinds", follower.rewinds);
                    put("is_up", follower.is_up.into());
                    let phase = match follower.phase {
                        Phase::Probe => 0,
                        Phase::Replicate => 1,
                        Phase::Snapshot { .. } => 2,
                    };
                    put("phase", phase);
                }
            }
        }
        details
    }

    fn following_details(&self, following: &Following, put: &mut impl FnMut(&str, u64)) {
        let state = &self.state;
        put("matched_lsn", following.matched().0);
        put("lag_records", following.freshness.behind(state.applied));
        if let Some(age) = following.freshness.age(state.now.mono) {
            put("lag_ms", milliseconds(age));
        }
        put("is_halted", following.is_halted().into());
        let recovery = self.election.as_ref().and_then(|e| e.recovery.as_ref());
        let is_resting = self.election.as_ref().is_some_and(|e| e.is_resting());
        put("is_quiescent", is_resting.into());
        let attempt = self.election.as_ref().and_then(|e| e.attempt.as_ref());
        if let Some(attempt) = attempt {
            put("promotion_epoch", attempt.epoch.0);
            put("promotion_refusals", attempt.refused.len() as u64);
        }
        put("is_amnesiac", self.is_forgetful().into());
        if let Some(recovery) = recovery {
            let missing = recovery.missing(state) as u64;
            put("recovery_answers_missing", missing);
        }
    }
}

impl State {
    /// How long ago the oldest record that a follower lacks was ordered; `None` when that is in
    /// memory no more.
    fn lag_of(&self, applied: Lsn) -> Option<Duration> {
        if applied >= self.log.last().lsn {
            return Some(Duration::ZERO);
        }
        let missing = self.log.window().from(applied.next())?.next()?;
        let lag_ms = self.now.wall.0.saturating_sub(missing.wall.0);
        Some(Duration::from_millis(lag_ms))
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
