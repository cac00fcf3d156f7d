//! What the leader knows of one follower, after etcd raft's `tracker/progress.go`:
//!
//! ```text
//!            ack of the probe                     the log was trimmed
//!   Probe ───────────────────────▶ Replicate ───────────────────────▶ Snapshot
//!     ▲                                │         (or from Probe)          │
//!     ├── link lost, answers missing ──┘                                  │
//!     └──────────────────────── snapshot taken over ──────────────────────┘
//! ```
//!
//! * *Probe*: one question at a time, "do you hold the record before `next`?", until it is answered
//!   or the next heartbeat repeats it.
//! * *Replicate*: entries are sent ahead of the answers, up to a window of bytes.
//! * *Snapshot*: nothing but heartbeats is sent until a snapshot has been taken over.

use repertoire_core::{Incarnation, Lsn, Mono, NodeId, Ticket};

use crate::in_flight::InFlight;
use crate::message::{Ack, Heard, Standing};

/// What is sent to a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// One question at a time.
    Probe,
    /// Entries, ahead of the answers.
    Replicate,
    /// Heartbeats; a snapshot is on its way.
    Snapshot {
        /// The log starts after this record: an older snapshot is of no use.
        base: Lsn,
        /// A follower that turns out to hold everything up to here needs none.
        needless_from: Lsn,
        /// Set when the snapshot failed: order another one then.
        retry_at: Option<Mono>,
    },
}

/// What the leader knows of one follower. `durable ≤ received < next` always.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) node: NodeId,
    /// Whether its copies count.
    pub(crate) is_voter: bool,
    /// Whether they counted before a change of the members that may be taken back.
    pub(crate) was_voter: bool,
    /// It is no member any more, and may not know that yet.
    pub(crate) is_leaving: bool,
    /// The disk on which the member is known to be.
    pub(crate) disk: Option<Incarnation>,
    /// Whether the link works, as far as the transport knows.
    pub(crate) is_up: bool,
    pub(crate) phase: Phase,
    /// It holds everything up to here durably.
    pub(crate) durable: Lsn,
    /// It holds everything up to here.
    pub(crate) received: Lsn,
    /// It has applied everything up to here.
    pub(crate) applied: Lsn,
    /// What is sent next.
    pub(crate) next: Lsn,
    /// What it was last told to be visible.
    pub(crate) commit_sent: Lsn,
    /// Times that the leader went back to send something again.
    pub(crate) rewinds: u64,
    /// A log read on its behalf that is not answered yet.
    pub(crate) reading: Option<Ticket>,
    /// When something that was on its way last arrived, or nothing was on its way.
    moved_at: Mono,
    /// Whether the question of `Probe` was asked.
    pub(crate) is_asked: bool,
    in_flight: InFlight,
    /// What it was last ready to take.
    window: Option<u32>,
    boot: Option<u64>,
    /// Answers to messages before this one come from an earlier boot.
    round_min: u64,
    /// Refusals of messages up to this one were already acted upon.
    round_rewound: u64,
    rewound_at: Option<Mono>,
    /// The newest message that it has answered, and when that was sent.
    pub(crate) round_answered: u64,
    pub(crate) confirmed_at: Option<Mono>,
    /// The newest message that its present boot has answered.
    pub(crate) heard: Option<Heard>,
}

impl Progress {
    /// A follower of which nothing is known; the first question is about the record before `next`.
    pub(crate) const fn new(node: NodeId, is_voter: bool, next: Lsn, now: Mono) -> Self {
        Self {
            node,
            is_voter,
            was_voter: false,
            is_leaving: false,
            disk: None,
            is_up: true,
            phase: Phase::Probe,
            durable: Lsn::ZERO,
            received: Lsn::ZERO,
            applied: Lsn::ZERO,
            next,
            commit_sent: Lsn::ZERO,
            rewinds: 0,
            reading: None,
            moved_at: now,
            is_asked: false,
            in_flight: InFlight::new(),
            window: None,
            boot: None,
            round_min: 0,
            round_rewound: 0,
            rewound_at: None,
            round_answered: 0,
            confirmed_at: None,
            heard: None,
        }
    }

    /// Whether an answer comes from the present boot of the follower. The first answer of a new
    /// boot is not counted either: it ends everything known of the earlier one, whose unsynced
    /// tail may be lost, and from then on only answers to messages after `latest` count, which no
    /// earlier boot can have seen.
    pub(crate) fn admits(&mut self, standing: Standing, latest: u64, last: Lsn) -> bool {
        if standing.round < self.round_min {
            return false;
        }
        if self.boot == Some(standing.boot) {
            return true;
        }
        self.heard = None;
        let is_first = self.boot.replace(standing.boot).is_none();
        if is_first {
            return true;
        }
        self.round_min = latest + 1;
        (self.durable, self.received, self.applied) = (Lsn::ZERO, Lsn::ZERO, Lsn::ZERO);
        self.probe(last.next());
        false
    }

    /// The follower obeyed this leadership when it had message `round`, which was sent at `at`.
    pub(crate) fn answered(&mut self, standing: Standing, at: Option<Mono>) {
        let Standing { boot, round, .. } = standing;
        let newest = self.heard.map_or(round, |heard| heard.round.max(round));
        self.heard = Some(Heard {
            boot,
            round: newest,
        });
        self.round_answered = self.round_answered.max(round);
        self.confirmed_at = self.confirmed_at.max(at);
    }

    /// The follower holds what it says. Entries flow from here on, if they did not before.
    pub(crate) fn acked(&mut self, ack: &Ack, now: Mono) {
        self.is_up = true;
        if ack.received > self.received {
            self.moved_at = now;
        }
        self.received = self.received.max(ack.received);
        self.durable = self.durable.max(ack.durable.min(ack.received));
        self.applied = self.applied.max(ack.applied);
        self.window = ack.window;
        let received = self.received;
        self.in_flight.arrived(received);
        let asked = self.next;
        self.next = self.next.max(received.next());
        match self.phase {
            // An answer to something older than the question is not the answer.
            Phase::Probe if received.next() < asked => {}
            Phase::Probe => self.phase = Phase::Replicate,
            Phase::Snapshot { needless_from, .. } if received >= needless_from => {
                self.probe(received.next())
            }
            Phase::Replicate | Phase::Snapshot { .. } => {}
        }
    }

    /// Whether a refusal is news: at most one rewind per `pause`, and none for messages that were
    /// sent before the last one. A refusal of each of many messages behind one lost message would
    /// otherwise send the whole window once per refusal.
    pub(crate) fn heeds(&self, round: u64, now: Mono, pause: std::time::Duration) -> bool {
        let is_early = self.rewound_at.is_some_and(|at| now.since(at) < pause);
        round > self.round_rewound && (!is_early || self.phase == Phase::Probe)
    }

    /// The follower's log and the leader's agree up to `common`: send what follows.
    pub(crate) fn rewind(&mut self, common: Lsn, latest: u64, now: Mono) {
        self.rewinds += 1;
        self.round_rewound = latest;
        self.rewound_at = Some(now);
        self.moved_at = now;
        self.durable = self.durable.min(common);
        self.received = self.received.min(common);
        self.forget_in_flight();
        self.next = common.next();
    }

    /// Asks anew whether the follower holds the record before `next`.
    pub(crate) fn probe(&mut self, next: Lsn) {
        self.phase = Phase::Probe;
        self.is_asked = false;
        self.next = next.max(self.received.next());
        self.forget_in_flight();
    }

    /// What was on its way may be lost: goes back to what the follower is known to hold. A question
    /// that was not answered is asked again.
    pub(crate) fn ask_again(&mut self) {
        match self.phase {
            Phase::Probe => self.is_asked = false,
            Phase::Replicate => {
                self.rewinds += 1;
                self.probe(self.received.next());
            }
            Phase::Snapshot { .. } => {}
        }
    }

    /// A snapshot has to bridge what was trimmed up to `base`.
    pub(crate) fn is_behind_log(&mut self, base: Lsn) {
        self.needs_snapshot(base, base);
    }

    /// A snapshot, however old, has to replace what the follower has, which contradicts the log up
    /// to `last`.
    pub(crate) fn contradicts(&mut self, last: Lsn) {
        self.needs_snapshot(Lsn::ZERO, last);
    }

    fn needs_snapshot(&mut self, base: Lsn, needless_from: Lsn) {
        self.forget_in_flight();
        self.phase = Phase::Snapshot {
            base,
            needless_from,
            retry_at: None,
        };
    }

    /// The follower goes on from a snapshot of everything up to `position`.
    pub(crate) fn snapshot_taken(&mut self, position: Lsn, latest: u64) {
        self.durable = self.durable.min(position);
        self.received = self.received.min(position);
        self.round_rewound = latest;
        self.probe(position.next());
    }

    /// Notes that a message was sent with everything up to `last`.
    pub(crate) fn sent(&mut self, last: Lsn, bytes: u64, now: Mono) {
        assert!(last >= self.next, "sending goes forward");
        if self.in_flight.is_empty() {
            self.moved_at = now;
        }
        self.in_flight.push(last, bytes);
        self.next = last.next();
    }

    /// Bytes that may be sent now. An idle follower always takes one message, so that a follower
    /// whose own window is shut hears of it.
    pub(crate) fn room(&self, window_bytes: u32) -> u64 {
        let window = self
            .window
            .map_or(window_bytes, |own| own.min(window_bytes));
        let room = u64::from(window).saturating_sub(self.in_flight.bytes());
        if self.in_flight.is_empty() {
            room.max(1)
        } else {
            room
        }
    }

    /// Whether messages are on their way and none has arrived for `patience`. Answers to heartbeats
    /// are no sign that entries arrive: they take another stream.
    pub(crate) fn is_stalled(&self, now: Mono, patience: std::time::Duration) -> bool {
        !self.in_flight.is_empty() && now.since(self.moved_at) >= patience
    }

    /// Whether nothing that was sent within `patience` was answered.
    pub(crate) fn is_silent(&self, now: Mono, patience: std::time::Duration) -> bool {
        self.confirmed_at.is_none_or(|at| now.since(at) >= patience)
    }

    /// Bytes on their way.
    pub(crate) const fn in_flight_bytes(&self) -> u64 {
        self.in_flight.bytes()
    }

    fn forget_in_flight(&mut self) {
        self.in_flight.clear();
        // A read under way may answer for what is no longer wanted.
        self.reading = None;
    }

    /// Asserts what must hold between any two inputs, given the last record of the leader's log.
    pub(crate) fn check(&self, last: Lsn) {
        assert!(
            self.durable <= self.received,
            "durable entries were received"
        );
        assert!(
            self.received < self.next,
            "what was received is not sent again"
        );
        assert!(
            self.received <= last,
            "a follower matches what the leader holds"
        );
        assert!(self.next <= last.next(), "only what exists is sent");
    }
}

#[cfg(test)]
#[path = "progress_test.rs"]
mod tests;
