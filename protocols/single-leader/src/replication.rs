//! Replication at the leader: what is sent to whom, and what the answers mean.

use std::time::Duration;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Effects, EntryId, LogSlice, Lsn, Mono, NodeId, Now, PeerEvent, SnapshotOrder, Ticket,
};

use crate::Message;
use crate::leading::Leading;
use crate::message::{Ack, Reject, Standing};
use crate::plugin::Timer;
use crate::progress::{Phase, Progress};
use crate::sending::{pack, replicate, send_empty, send_entries};
use crate::state::State;

/// Heartbeats without an answer after which entries on their way count as lost.
const PATIENCE_HEARTBEATS: u32 = 3;

/// Heartbeats after which a failed snapshot is ordered again.
const SNAPSHOT_RETRY_HEARTBEATS: u32 = 20;

impl Leading {
    /// Sends to every follower what it may have.
    pub(crate) fn feed_all(&mut self, now: Now, state: &State, fx: &mut Effects<Message>) {
        if !self.is_active() {
            return;
        }
        for index in 0..self.followers.len() {
            self.feed(index, now.mono, state, fx);
        }
        let visible = state.applied;
        self.date_messages(now.mono, state);
        let is_behind = |f: &Progress| f.phase == Phase::Replicate && f.commit_sent < visible;
        if !self.is_notice_due && self.followers.iter().any(is_behind) {
            self.is_notice_due = true;
            fx.set_timer_in(
                Timer::CommitNotice,
                now.mono,
                state.config.commit_notice_delay(),
            );
        }
    }

    fn feed(&mut self, index: usize, now: Mono, state: &State, fx: &mut Effects<Message>) {
        let Self {
            followers, round, ..
        } = self;
        let Some(follower) = followers.get_mut(index).filter(|follower| follower.is_up) else {
            return;
        };
        match follower.phase {
            Phase::Probe if !follower.is_asked => send_empty(follower, round, false, state, fx),
            Phase::Probe | Phase::Snapshot { .. } => {}
            Phase::Replicate => replicate(follower, round, now, state, fx),
        }
    }

    /// Tells every follower that the leader is alive, and looks after those that do not answer.
    pub(crate) fn on_heartbeat(&mut self, now: Now, state: &State, fx: &mut Effects<Message>) {
        let heartbeat = state.config.heartbeat();
        if !self.is_active() {
            fx.set_timer_in(Timer::Heartbeat, now.mono, heartbeat);
            return;
        }
        if let Some(pause) = self.quiesce(now.mono, state, fx) {
            fx.set_timer_in(Timer::Heartbeat, now.mono, pause);
            return;
        }
        fx.set_timer_in(Timer::Heartbeat, now.mono, heartbeat);
        let is_certain = self.is_certain(now.mono, state);
        self.welcome(now.mono, state, fx);
        let Self {
            followers, round, ..
        } = self;
        for follower in followers {
            let is_asked = follower.phase == Phase::Probe && follower.is_asked;
            if planted(Bug::ProbeAskedOnce) && is_asked && follower.received == Lsn::ZERO {
                continue;
            }
            let is_lost = follower.is_stalled(now.mono, heartbeat * PATIENCE_HEARTBEATS);
            match &mut follower.phase {
                Phase::Replicate if is_lost => {
                    follower.ask_again();
                    fx.count("follower-stalled", follower.node.0);
                }
                Phase::Snapshot { base, retry_at, .. }
                    if retry_at.is_some_and(|at| at <= now.mono) =>
                {
                    *retry_at = None;
                    let (to, base) = (follower.node, *base);
                    fx.snapshots.push(SnapshotOrder::Send { to, base });
                }
                Phase::Probe | Phase::Replicate | Phase::Snapshot { .. } => {}
            }
            send_empty(follower, round, is_certain, state, fx);
        }
        self.date_messages(now.mono, state);
    }

    /// Reads wait to hear that this replica still leads: asks everybody, once for all of them.
    pub(crate) fn ask_for_confirmation(
        &mut self,
        now: Mono,
        state: &State,
        fx: &mut Effects<Message>,
    ) {
        if !std::mem::take(&mut self.is_confirmation_due) {
            return;
        }
        let Self {
            followers, round, ..
        } = self;
        for follower in followers.iter_mut().filter(|follower| follower.is_up) {
            send_empty(follower, round, false, state, fx);
        }
        self.date_messages(now, state);
    }

    /// Tells followers what has become visible, when no entries took the news along.
    pub(crate) fn on_commit_notice(&mut self, now: Mono, state: &State, fx: &mut Effects<Message>) {
        self.is_notice_due = false;
        let is_certain = self.is_certain(now, state);
        let Self {
            followers, round, ..
        } = self;
        for follower in followers.iter_mut().filter(|follower| follower.is_up) {
            if follower.phase == Phase::Replicate && follower.commit_sent < state.applied {
                send_empty(follower, round, is_certain, state, fx);
            }
        }
    }

    /// Finds the follower that an answer in this epoch comes from, unless the answer is out of date.
    fn answering(
        &mut self,
        from: NodeId,
        standing: Standing,
        state: &State,
    ) -> Option<&mut Progress> {
        if standing.epoch != state.hard.epoch || !self.is_active() {
            return None;
        }
        let (latest, last) = (self.round, state.log.last().lsn);
        let sent = self.sent_at.of(standing.round);
        let follower = self
            .followers
            .iter_mut()
            .find(|follower| follower.node == from)?;
        if !follower.admits(standing, latest, last) {
            return None;
        }
        follower.answered(standing, sent);
        self.is_confirmed_anew = true;
        Some(follower)
    }

    pub(crate) fn on_ack(
        &mut self,
        now: Now,
        from: NodeId,
        ack: &Ack,
        state: &State,
        fx: &mut Effects<Message>,
    ) {
        let Some(follower) = self.answering(from, ack.standing, state) else {
            return;
        };
        if ack.received > state.log.last().lsn {
            // Nobody can match what does not exist.
            fx.count("ack-beyond-log", from.0);
            return;
        }
        let mut ack = *ack;
        let is_back = !follower.is_up && ack.received > follower.received;
        if planted(Bug::ReturnCountsAsCaughtUp) && is_back {
            (ack.received, ack.durable) = (state.log.last().lsn, state.log.last().lsn);
        }
        follower.acked(&ack, now.mono);
    }

    pub(crate) fn on_reject(
        &mut self,
        now: Now,
        from: NodeId,
        reject: &Reject,
        state: &State,
        fx: &mut Effects<Message>,
    ) {
        let latest = self.round;
        let pause = state.config.heartbeat() / 2;
        let Some(follower) = self.answering(from, reject.standing, state) else {
            return;
        };
        follower.is_up = true;
        if !follower.heeds(reject.standing.round, now.mono, pause)
            || matches!(follower.phase, Phase::Snapshot { .. })
        {
            return;
        }
        if reject.needs_snapshot {
            follower.contradicts(state.log.last().lsn);
            let base = Lsn::ZERO;
            fx.snapshots.push(SnapshotOrder::Send { to: from, base });
            fx.count("follower-contradicts", from.0);
            return;
        }
        let common = state.log.newest_common(reject.hint);
        follower.rewind(common.lsn, latest, now.mono);
        fx.count("follower-rewound", from.0);
        if common == reject.hint {
            // The follower holds exactly this record: nothing is left to be asked.
            follower.phase = Phase::Replicate;
        } else {
            follower.probe(common.lsn.next());
        }
    }

    pub(crate) fn on_peer(&mut self, peer: NodeId, event: PeerEvent, fx: &mut Effects<Message>) {
        let Some(follower) = self.followers.iter_mut().find(|f| f.node == peer) else {
            return;
        };
        if event == PeerEvent::Silent {
            return;
        }
        follower.is_up = event != PeerEvent::Down;
        if planted(Bug::SentCountsAsHeld) && event == PeerEvent::Writable {
            follower.received = Lsn(follower.next.0 - 1);
            follower.durable = follower.received;
        }
        follower.ask_again();
        if let (PeerEvent::Up, Phase::Snapshot { base, .. }) = (event, follower.phase) {
            fx.snapshots.push(SnapshotOrder::Send { to: peer, base });
        }
    }

    /// Entries for a follower that is behind what is in memory, read back from the log.
    pub(crate) fn on_log_read(
        &mut self,
        now: Now,
        ticket: Ticket,
        slice: LogSlice,
        state: &State,
        fx: &mut Effects<Message>,
    ) {
        let Self {
            followers, round, ..
        } = self;
        let Some(follower) = followers.iter_mut().find(|f| f.reading == Some(ticket)) else {
            return;
        };
        follower.reading = None;
        match slice {
            LogSlice::Trimmed { base } => {
                let (to, base) = (follower.node, base.lsn);
                follower.is_behind_log(base);
                fx.snapshots.push(SnapshotOrder::Send { to, base });
                fx.count("follower-behind-log", follower.node.0);
            }
            LogSlice::Entries(entries) => {
                let (next, end) = (follower.next, state.sendable());
                let wanted = entries.iter().skip_while(|entry| entry.last_lsn() < next);
                let wanted = wanted.take_while(|entry| entry.last_lsn() <= end);
                let mut wanted = wanted.peekable();
                if wanted.peek().is_none_or(|entry| entry.first > next) {
                    // Not what was asked for; ask the follower again, at the pace of its answers.
                    follower.probe(follower.next);
                }
                while follower.phase == Phase::Replicate && wanted.peek().is_some() {
                    let batch = pack(&mut wanted, state.config.append_bytes_max as usize);
                    send_entries(follower, round, batch, now.mono, state, fx);
                }
            }
        }
    }

    /// A snapshot was taken over by a follower, or failed.
    pub(crate) fn on_snapshot_sent(
        &mut self,
        now: Now,
        to: NodeId,
        position: Option<EntryId>,
        state: &State,
    ) {
        let latest = self.round;
        let Some(follower) = self.followers.iter_mut().find(|f| f.node == to) else {
            return;
        };
        match (position, &mut follower.phase) {
            (Some(position), _) => {
                follower.snapshot_taken(position.lsn.min(state.log.last().lsn), latest);
            }
            (None, Phase::Snapshot { retry_at, .. }) => {
                let pause: Duration = state.config.heartbeat() * SNAPSHOT_RETRY_HEARTBEATS;
                *retry_at = Some(now.mono.after(pause));
            }
            (None, Phase::Probe | Phase::Replicate) => {}
        }
    }
}
