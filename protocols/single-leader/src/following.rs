//! Replication at a follower: what an `Append` does to its log, and what it answers.

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Effects, EntryId, LeaderEpoch, Lsn, Mono, NodeId, SnapshotOrder};

use crate::Message;
use crate::freshness::Freshness;
use crate::message::{Ack, Append, Fenced, Reject, Standing};
use crate::plugin::Timer;
use crate::state::State;

/// Heartbeats after which a snapshot is asked for again.
const FETCH_RETRY_HEARTBEATS: u32 = 20;

/// What only a follower keeps. All of it concerns the leader of the present epoch.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// The log matches the leader's up to here. What follows may be a tail that never became
    /// visible, left by an earlier leader: it is never acknowledged.
    matched: Lsn,
    /// The highest position that the leader called visible.
    leader_commit: Lsn,
    round: u64,
    /// An answer is due although nothing became durable.
    owes_ack: bool,
    /// The durable position that was last reported.
    reported: Lsn,
    /// A refusal that is due.
    reject: Option<Reject>,
    /// What was applied here contradicts the leader's history: nothing moves until a snapshot of
    /// the leader replaces it.
    is_halted: bool,
    /// How far it is behind the leader.
    pub(crate) freshness: Freshness,
}

impl Following {
    /// How far the log matches the leader's.
    pub(crate) const fn matched(&self) -> Lsn {
        self.matched
    }

    /// Whether the replica waits for a snapshot of the leader.
    pub(crate) const fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Takes an `Append`: checks the sender's authority first, then the place of the entries.
    pub(crate) fn on_append(
        &mut self,
        now: Mono,
        from: NodeId,
        append: Append,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        let is_present = append.epoch == state.hard.epoch;
        let is_rival = is_present && state.hard.leader.is_some_and(|leader| leader != from);
        // An epoch that was only heard of, by being fenced, belongs to the first who speaks in it.
        let is_new = append.epoch > state.hard.epoch || is_present && state.hard.leader.is_none();
        let is_stale = append.epoch < state.hard.epoch && !planted(Bug::StaleLeaderAccepted);
        if is_stale || is_rival {
            let (seen, own) = (state.hard.epoch, append.epoch);
            fx.send(from, Message::Fenced(Fenced { seen, own }));
            fx.count("leader-fenced", append.epoch.0);
            return;
        }
        if is_new {
            self.obey(from, append.epoch, state, fx);
        }
        self.round = self.round.max(append.round);
        if let Some(heard) = append.heard.filter(|heard| heard.boot == state.boot) {
            self.freshness.heard(heard.round, append.commit);
        }
        let standing = Standing {
            epoch: append.epoch,
            boot: state.boot,
            round: append.round,
        };
        if self.is_halted {
            self.refuse(standing, EntryId::ZERO);
        } else if state.log.contains(append.prev) {
            self.on_matching(now, standing, append, state, fx);
        } else if append.prev.lsn <= state.applied {
            self.halt(now, standing, state, fx);
        } else {
            if planted(Bug::ApplyPastHole) {
                fx.apply.extend(append.entries.iter().cloned());
            }
            self.refuse(standing, state.log.newest_common(append.prev));
        }
    }

    /// A new leadership: written down before it is answered. How far the logs match is unknown.
    fn obey(
        &mut self,
        from: NodeId,
        epoch: LeaderEpoch,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        state.adopt(epoch, Some(from), fx);
        *self = Self::default();
        fx.count("epoch-adopted", epoch.0);
    }

    /// The record before the entries is here, so everything before it is too.
    fn on_matching(
        &mut self,
        now: Mono,
        standing: Standing,
        append: Append,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        let mut matched = append.prev.lsn;
        if planted(Bug::TruncateMatchingSuffix) && matched < state.log.last().lsn {
            self.truncate(matched.max(state.applied), state, fx);
        }
        let mut has_news = false;
        for entry in append.entries {
            let overtaken = self
                .reject
                .is_some_and(|r| r.standing.round > standing.round)
                && planted(Bug::OvertakenTakenForRepeated);
            if state.log.contains(entry.last()) || overtaken {
                // Sent again: it is there, perhaps visible, perhaps trimmed from the log already.
                matched = entry.last_lsn();
                if planted(Bug::ReappendApplied) && matched <= state.applied {
                    fx.apply.push(entry);
                }
                continue;
            }
            if entry.first <= state.applied {
                self.halt(now, standing, state, fx);
                return;
            }
            if entry.first <= state.log.last().lsn {
                self.truncate(Lsn(entry.first.0 - 1), state, fx);
            }
            matched = entry.last_lsn();
            has_news = true;
            state.log.append(entry, fx);
        }
        self.matched = self.matched.max(matched);
        self.leader_commit = self.leader_commit.max(append.commit);
        // What is new is answered once, when it is durable.
        self.owes_ack |= !has_news;
    }

    /// Drops a tail that the leader does not have.
    fn truncate(&mut self, last: Lsn, state: &mut State, fx: &mut Effects<Message>) {
        let dropped = state.log.last().lsn.since(last);
        if dropped == 0 {
            return;
        }
        assert!(last >= state.applied, "what is visible is never truncated");
        self.matched = self.matched.min(last);
        self.reported = self.reported.min(last);
        state.truncate(last, fx);
        fx.count("log-truncated", dropped);
    }

    /// The leader's history contradicts what was applied here. Under the durabilities `memory` and
    /// `os` a leader may lose what it had made visible; its word stands.
    fn halt(&mut self, now: Mono, standing: Standing, state: &State, fx: &mut Effects<Message>) {
        self.is_halted = true;
        self.refuse(standing, EntryId::ZERO);
        self.fetch(now, state, fx);
        fx.count("history-contradicted", state.applied.0);
    }

    /// Asks the leader for a snapshot, again and again until it has come.
    pub(crate) fn fetch(&self, now: Mono, state: &State, fx: &mut Effects<Message>) {
        let (true, Some(from)) = (self.is_halted, state.hard.leader) else {
            return;
        };
        fx.snapshots.push(SnapshotOrder::Fetch { from });
        let pause = state.config.heartbeat() * FETCH_RETRY_HEARTBEATS;
        fx.set_timer_in(Timer::Fetch, now, pause);
    }

    /// Of several refusals in one batch the first one says most: it names the start of the gap.
    fn refuse(&mut self, standing: Standing, hint: EntryId) {
        let needs_snapshot = self.is_halted;
        self.reject.get_or_insert(Reject {
            standing,
            hint,
            needs_snapshot,
        });
    }

    /// Makes visible what the leader calls visible, as far as it is here and matches.
    pub(crate) fn advance(&mut self, state: &mut State, fx: &mut Effects<Message>) {
        if self.is_halted {
            return;
        }
        let limit = if planted(Bug::CommitBeyondMatched) {
            state.log.last().lsn
        } else {
            self.matched
        };
        state.apply_upto(self.leader_commit.min(limit), fx);
        self.freshness.advance(state.applied);
    }

    /// Answers the batch: once, and not before the authority that it answers is durable.
    pub(crate) fn answer(&mut self, now: Mono, state: &State, fx: &mut Effects<Message>) {
        let (true, Some(leader)) = (state.is_established(), state.hard.leader) else {
            return;
        };
        if let Some(reject) = self.reject.take() {
            self.freshness.answered(reject.standing.round, now);
            fx.send(leader, Message::Reject(reject));
        }
        let (received, durable) = self.holds(state);
        if self.is_halted || !(self.owes_ack || durable > self.reported) {
            return;
        }
        self.owes_ack = false;
        self.reported = durable;
        let ack = self.ack(received, durable, state);
        self.freshness.answered(ack.standing.round, now);
        fx.send(leader, Message::Ack(ack));
    }

    /// How far this replica holds its leader's log, and how far durably.
    fn holds(&self, state: &State) -> (Lsn, Lsn) {
        let received = if planted(Bug::AckUnmatchedSuffix) {
            state.log.last().lsn
        } else {
            self.matched
        };
        if planted(Bug::FollowerAcksBeforeDurable) {
            (received, received)
        } else {
            (received, received.min(state.log.durable()))
        }
    }

    fn ack(&self, received: Lsn, durable: Lsn, state: &State) -> Ack {
        let backlog = state.log.window().bytes_after(state.engine_applied);
        let backlog = u32::try_from(backlog).unwrap_or(u32::MAX);
        Ack {
            standing: Standing {
                epoch: state.hard.epoch,
                boot: state.boot,
                round: self.round,
            },
            durable,
            received,
            applied: state.engine_applied,
            window: Some(state.config.window_bytes.saturating_sub(backlog)),
        }
    }

    /// Asserts what must hold between any two inputs.
    pub(crate) fn check(&self, state: &State) {
        assert!(
            self.matched <= state.log.last().lsn,
            "what matches is in the log"
        );
        assert!(
            self.reported <= state.log.last().lsn,
            "what was reported is in the log"
        );
    }
}
