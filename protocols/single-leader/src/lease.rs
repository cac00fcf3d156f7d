//! Leases and read-index: how an elected leader knows that it still leads.
//!
//! Each answer of a follower confirms the leadership as of the moment at which the answered message
//! was *sent*. Once a majority has confirmed it as of some moment, no other leader can have been
//! elected before one election timeout after that moment, since those followers give no vote that
//! long. Within nine tenths of it the leader answers reads on its own, which leaves a tenth for
//! clocks that run at different speeds. Later it asks first (read-index): what a majority confirms
//! as of a moment after the read arrived makes the read linearizable, however long the process was
//! stopped in between.

use std::collections::VecDeque;
use std::time::Duration;

use repertoire_core::Mono;

use crate::leading::Leading;
use crate::progress::Progress;
use crate::state::State;

/// Messages sent within one such span count as sent at its beginning.
const GRAIN: Duration = Duration::from_millis(1);

/// When the messages of a leadership were sent: message numbers, oldest first, each with the moment
/// from which on it and those after the number before it were sent.
#[derive(Debug, Default)]
pub(crate) struct SendTimes {
    marks: VecDeque<(u64, Mono)>,
    /// Messages up to this one were sent too long ago to be told apart.
    forgotten: u64,
}

impl SendTimes {
    /// Messages up to `round` have been sent.
    pub(crate) fn note(&mut self, round: u64, now: Mono, kept: Duration) {
        match self.marks.back_mut() {
            Some((upto, _)) if *upto >= round => return,
            Some((upto, at)) if now.since(*at) < GRAIN => *upto = round,
            _ => self.marks.push_back((round, now)),
        }
        while let Some((upto, _)) = self.marks.pop_front_if(|(_, at)| now.since(*at) > kept) {
            self.forgotten = upto;
        }
    }

    /// When message `round` was sent; `None` when that is long ago.
    pub(crate) fn of(&self, round: u64) -> Option<Mono> {
        if round <= self.forgotten {
            return None;
        }
        let index = self.marks.partition_point(|(upto, _)| *upto < round);
        self.marks.get(index).map(|(_, at)| *at)
    }
}

impl Leading {
    /// Notes what was sent, so that answers can be dated.
    pub(crate) fn date_messages(&mut self, now: Mono, state: &State) {
        let kept = state.config.election_timeout() * 2;
        self.sent_at.note(self.round, now, kept);
    }

    /// The moment as of which a majority has confirmed this leadership.
    fn confirmed_at(&self, now: Mono) -> Option<Mono> {
        let present = self.confirmed_by(now, self.voters, |f| f.is_voter);
        match self.former_voters {
            None => present,
            Some(former) => present.min(self.confirmed_by(now, former, |f| f.was_voter)),
        }
    }

    /// The moment as of which a majority of some voters has.
    fn confirmed_by(
        &self,
        now: Mono,
        voters: usize,
        votes: impl Fn(&Progress) -> bool,
    ) -> Option<Mono> {
        let followers = self.followers.iter().filter(|follower| votes(follower));
        let times = followers.map(|follower| follower.confirmed_at);
        let mut times: Vec<Option<Mono>> = times.collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        match (voters / 2).checked_sub(1) {
            // Its own word is a majority.
            None => Some(now),
            Some(index) => times.get(index).copied().flatten(),
        }
    }

    /// Whether a majority has confirmed this leadership within an election timeout, or it has only
    /// just begun.
    pub(crate) fn holds_quorum(&self, now: Mono, state: &State) -> bool {
        let since = self.confirmed_at(now).unwrap_or(self.quorum_awaited_since);
        now.since(since.max(self.quorum_awaited_since)) < state.config.election_timeout()
    }

    /// Whether nobody else can have been elected by now.
    pub(crate) fn holds_lease(&self, now: Mono, state: &State) -> bool {
        let has_leases = state.config.lease_reads && !self.transfer.ends_leases();
        if !has_leases && self.voters > 1 {
            return false;
        }
        let lease = state.config.election_timeout() * 9 / 10;
        let confirmed = self.confirmed_at(now);
        confirmed.is_some_and(|at| now.since(at) < lease)
    }

    /// Whether everything that anybody has acknowledged by now is visible here: this replica leads,
    /// nobody else can have been elected, and what its predecessors acknowledged is visible.
    pub(crate) fn is_certain(&self, now: Mono, state: &State) -> bool {
        let elects = state.config.failover.takes_votes();
        self.is_ready(state) && (!elects || self.holds_lease(now, state))
    }

    /// Whether a majority has answered message `round` or a later one.
    pub(crate) fn is_confirmed_since(&self, round: u64) -> bool {
        let has_answered = |f: &&Progress| f.round_answered >= round;
        let answers = || self.followers.iter().filter(has_answered);
        let present = answers().filter(|f| f.is_voter).count() + 1 > self.voters / 2;
        let former = |voters| answers().filter(|f| f.was_voter).count() + 1 > voters / 2;
        present && self.former_voters.is_none_or(former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_millis(100);

    fn at(milliseconds: u64) -> Mono {
        Mono(milliseconds * 1_000_000)
    }

    #[test]
    fn a_message_is_never_dated_later_than_it_was_sent() {
        let mut times = SendTimes::default();
        times.note(3, at(10), KEPT);
        times.note(4, Mono(at(10).0 + 5), KEPT);
        times.note(9, at(20), KEPT);
        assert_eq!(times.of(1), Some(at(10)));
        assert_eq!(times.of(4), Some(at(10)));
        assert_eq!(times.of(5), Some(at(20)));
        assert_eq!(times.of(10), None);
    }

    #[test]
    fn what_was_sent_long_ago_is_forgotten_and_dated_later_never() {
        let mut times = SendTimes::default();
        times.note(1, at(10), KEPT);
        times.note(2, at(500), KEPT);
        // Message 1 went out at 10; to say 500 would prolong a lease.
        assert_eq!(times.of(1), None);
        assert_eq!(times.of(2), Some(at(500)));
    }
}
