//! How far a follower is behind its leader, by its own clock.
//!
//! When the leader says that everything up to some record is visible, that was true when it said so,
//! and nobody knows how long the message travelled: a process that was stopped finds old messages
//! waiting. So the leader names the newest answer that it had from this follower by then. The follower
//! knows when it sent that answer. Whatever was acknowledged before that moment is visible at the
//! leader when it speaks, and so is within what it calls visible. (The same argument as for leases,
//! with the roles exchanged.)

use std::collections::VecDeque;
use std::time::Duration;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Lag, Lsn, Mono};

/// Answers within such a span count as sent at its beginning.
const GRAIN: Duration = Duration::from_millis(1);

/// Most moments kept. Forgetting one makes the follower look older, never younger.
const KEPT_MAX: usize = 256;

/// How far a follower is behind its leader.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    /// The newest message that was answered. What is answered again is not dated again.
    newest: u64,
    /// Messages that were answered, oldest first, and when each was answered first.
    answers: VecDeque<(u64, Mono)>,
    /// Moments, oldest first, each with what the leader called visible after it; not applied here yet.
    pending: VecDeque<(Mono, Lsn)>,
    /// The latest moment of which everything acknowledged before it is applied here.
    caught_up: Option<Mono>,
    /// What the leader last called visible.
    visible: Lsn,
}

impl Freshness {
    /// Message `round` is answered now.
    pub(crate) fn answered(&mut self, round: u64, now: Mono) {
        if round <= self.newest {
            return;
        }
        self.newest = round;
        // An answer that is not noted is dated by the one before it, which was sent earlier.
        if self
            .answers
            .back()
            .is_none_or(|(_, at)| now.since(*at) >= GRAIN)
        {
            self.answers.push_back((round, now));
        }
        if self.answers.len() > KEPT_MAX {
            self.answers.pop_front();
        }
    }

    /// The leader, who had heard the answer to `round`, calls everything up to `visible` visible.
    pub(crate) fn heard(&mut self, round: u64, visible: Lsn) {
        self.visible = self.visible.max(visible);
        let known = self
            .answers
            .partition_point(|(answered, _)| *answered <= round);
        let Some((_, at)) = known.checked_sub(1).and_then(|last| self.answers.get(last)) else {
            return;
        };
        if self.pending.back().is_none_or(|(newest, _)| newest < at)
            && self.pending.len() < KEPT_MAX
        {
            self.pending.push_back((*at, visible));
        }
    }

    /// Everything up to `applied` is applied.
    pub(crate) fn advance(&mut self, applied: Lsn) {
        while let Some((at, _)) = self
            .pending
            .pop_front_if(|(_, visible)| *visible <= applied)
        {
            self.caught_up = self.caught_up.max(Some(at));
        }
    }

    /// How long ago it was that everything acknowledged by then is applied here; `None` when this
    /// follower was never caught up with this leader.
    pub(crate) fn age(&self, now: Mono) -> Option<Duration> {
        if planted(Bug::SilenceCountsAsCaughtUp) {
            return self.caught_up.map(|_| Duration::ZERO);
        }
        self.caught_up.map(|at| now.since(at))
    }

    /// Records that the leader called visible and that are not applied here.
    pub(crate) fn behind(&self, applied: Lsn) -> u64 {
        self.visible.since(applied)
    }

    /// Whether the follower can prove that it lags no more than that.
    pub(crate) fn is_within(&self, lag: &Lag, applied: Lsn, now: Mono) -> bool {
        let records_max = lag.records_max.unwrap_or(u64::MAX);
        self.age(now).is_some_and(|age| age <= lag.age_max) && self.behind(applied) <= records_max
    }

    /// What the leader last called visible.
    pub(crate) const fn visible(&self) -> Lsn {
        self.visible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Mono {
        Mono(milliseconds * 1_000_000)
    }

    fn age(freshness: &Freshness, now: u64) -> Option<u128> {
        freshness.age(at(now)).map(|age| age.as_millis())
    }

    #[test]
    fn a_message_that_is_answered_again_keeps_its_date() {
        let mut freshness = Freshness::default();
        freshness.answered(3, at(10));
        freshness.answered(4, Mono(at(10).0 + 5));
        freshness.answered(4, at(300));
        freshness.heard(4, Lsn(0));
        freshness.advance(Lsn(0));
        assert_eq!(age(&freshness, 310), Some(300));
    }

    #[test]
    fn a_late_message_is_dated_by_the_answer_that_its_sender_had() {
        let mut freshness = Freshness::default();
        freshness.heard(1, Lsn(5));
        freshness.advance(Lsn(5));
        assert_eq!(
            age(&freshness, 10),
            None,
            "no answer of this boot had been sent"
        );
        freshness.answered(1, at(10));
        freshness.answered(2, at(60));
        // Sent after the answer to 1 had come, and long on its way.
        freshness.heard(1, Lsn(7));
        freshness.advance(Lsn(6));
        assert_eq!(age(&freshness, 500), None, "7 is not applied yet");
        assert_eq!(freshness.behind(Lsn(6)), 1);
        freshness.advance(Lsn(7));
        assert_eq!(age(&freshness, 500), Some(490));
    }

    #[test]
    fn an_answer_is_never_dated_later_than_it_was_sent() {
        let mut freshness = Freshness::default();
        freshness.answered(3, at(10));
        freshness.answered(4, Mono(at(10).0 + 5));
        // A refusal of an older message, sent later.
        freshness.answered(2, at(30));
        freshness.answered(3, at(40));
        for round in 3..5 {
            let mut freshness = Freshness {
                answers: freshness.answers.clone(),
                ..Freshness::default()
            };
            freshness.heard(round, Lsn(1));
            freshness.advance(Lsn(1));
            assert_eq!(age(&freshness, 10), Some(0));
        }
        freshness.heard(2, Lsn(1));
        freshness.advance(Lsn(1));
        assert_eq!(age(&freshness, 50), None, "nothing as old as that is noted");
    }

    #[test]
    fn a_bound_in_records_holds_beside_the_one_in_time() {
        let mut freshness = Freshness::default();
        freshness.answered(1, at(10));
        freshness.heard(1, Lsn(5));
        freshness.advance(Lsn(5));
        freshness.answered(2, at(20));
        freshness.heard(2, Lsn(9));
        let lag = |records_max| Lag {
            age_max: Duration::from_millis(50),
            records_max,
        };
        assert!(freshness.is_within(&lag(None), Lsn(5), at(60)));
        assert!(freshness.is_within(&lag(Some(4)), Lsn(5), at(60)));
        assert!(!freshness.is_within(&lag(Some(3)), Lsn(5), at(60)));
        assert!(!freshness.is_within(&lag(None), Lsn(5), at(61)));
    }
}
