//! What replicas of a group say to each other.
//!
//! | message | from | says |
//! |---|---|---|
//! | `Append` | leader | here is what follows `prev`; this much is visible. Without entries: a heartbeat, a probe, or news of what became visible |
//! | `Ack` | follower | this much of your log I hold, this much of it durably |
//! | `Reject` | follower | I do not hold `prev`; go on from `hint`, or send a snapshot |
//! | `Fenced` | anyone | your epoch is over; this one is in force |
//! | `VoteRequest` | candidate | let me lead in that epoch; or: would you? |
//! | `Vote` | voter | I do, I would, or I do not |
//! | `BlankVote` | voter | the same, of one that may have forgotten what its log held |
//! | `Quiesce` | leader | nobody uses this group: I shall speak seldom from now on |
//! | `TakeOver` | leader | you hold all there is: ask for votes now, I take no more writes |
//! | `Welcome` | leader | I know you by this disk: what you answer counts |
//! | `RecoveryRequest` | voter | I may have forgotten votes and records; what do you know? |
//! | `RecoveryAnswer` | voter | this epoch; I lead, and my log ends here |

use serde::{Deserialize, Serialize};

use repertoire_core::{Entry, EntryId, Incarnation, LeaderEpoch, Lsn};

/// Entries and commands of a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The sender's authority.
    pub epoch: LeaderEpoch,
    /// Number of this message among all that the leader sent in this epoch; answers name it.
    pub round: u64,
    /// The record before the first entry, or a record to be confirmed.
    pub prev: EntryId,
    /// Everything up to here is visible at the leader.
    pub commit: Lsn,
    /// What the leader had heard of the receiver by then, if it certainly led: dates `commit`.
    pub heard: Option<Heard>,
    /// Consecutive entries after `prev`.
    pub entries: Vec<Entry>,
}

/// A heartbeat of a group that nobody uses; see `quiescence`. The record named is the last one, and
/// visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiesce {
    /// The sender's authority.
    pub epoch: LeaderEpoch,
    /// Number of this message among all that the leader sent in this epoch; answers name it.
    pub round: u64,
    /// The last record of the leader's log, which is visible.
    pub last: EntryId,
    /// The leader speaks again after this many milliseconds, and at once when anything happens.
    pub pause_ms: u32,
}

impl Quiesce {
    /// The heartbeat that it is at least.
    pub(crate) const fn heartbeat(self) -> Append {
        Append {
            epoch: self.epoch,
            round: self.round,
            prev: self.last,
            commit: self.last.lsn,
            entries: Vec::new(),
            heard: None,
        }
    }
}

/// The newest answer of a follower that its leader had when it said how much is visible. Whatever was
/// acknowledged before the follower sent that answer, is visible by what the leader says: so a
/// follower dates what it hears by its own clock, however long messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The boot of the follower that answered.
    pub boot: u64,
    /// The message that it answered.
    pub round: u64,
}

/// How a follower stands with the leader of an epoch; part of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The leadership that is answered.
    pub epoch: LeaderEpoch,
    /// The boot of the follower, drawn at random, and changed when a snapshot replaces its log:
    /// acknowledgements of what is gone since must not count any more.
    pub boot: u64,
    /// The message that is answered.
    pub round: u64,
}

/// What a follower holds of the leader's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Whom and what it answers; here `round` is the newest one seen.
    pub standing: Standing,
    /// Everything up to here matches the leader's log and has reached the keyspace's medium.
    pub durable: Lsn,
    /// Everything up to here matches the leader's log.
    pub received: Lsn,
    /// Everything up to here was applied by the follower's engine.
    pub applied: Lsn,
    /// Bytes that the follower is ready to take; `None` leaves it to the leader.
    pub window: Option<u32>,
}

/// The follower does not hold the record that an [`Append`] builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Whom and what it answers.
    pub standing: Standing,
    /// The newest record of the follower that could be in the leader's log.
    pub hint: EntryId,
    /// The histories contradict each other below what the follower has applied: only a snapshot
    /// joins them.
    pub needs_snapshot: bool,
}

/// The receiver of this message spoke with an authority that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fenced {
    /// The epoch in force.
    pub seen: LeaderEpoch,
    /// The epoch that is over. A leader may have begun a newer one since: then the message that is
    /// answered was late, and the answer means nothing to it.
    pub own: LeaderEpoch,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Would the vote be given? Nobody writes anything down, so that a replica which cannot win
    /// disturbs nobody (Ongaro's dissertation, §9.6: pre-vote).
    PreVote,
    /// The vote.
    Vote,
    /// The vote, at the wish of the leader: that it is heard holds nobody back.
    TakeOver,
    /// The vote, of an operator who accepts that acknowledged writes are lost: that the voter's log is
    /// newer holds it not back.
    Forced,
}

impl Stage {
    /// Whether a vote is given, and not only promised.
    pub(crate) const fn is_binding(self) -> bool {
        match self {
            Self::PreVote => false,
            Self::Vote | Self::TakeOver | Self::Forced => true,
        }
    }
}

/// A replica would like to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRequest {
    /// The epoch that it would lead.
    pub epoch: LeaderEpoch,
    /// The last record of its log.
    pub last: EntryId,
    /// What it asks for.
    pub stage: Stage,
    /// The disk of the receiver, where the sender knows it: another one under the same name is not
    /// asked. It travels apart from the rest.
    #[serde(skip)]
    pub voter: Option<Incarnation>,
}

/// The answer to a [`VoteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The epoch that was asked for.
    pub epoch: LeaderEpoch,
    /// What was asked.
    pub stage: Stage,
    /// Whether the sender gives its vote, or would.
    pub is_granted: bool,
    /// The newest epoch that the sender knows.
    pub seen: LeaderEpoch,
}

/// The leader wants the receiver to lead. It has stopped taking writes for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeOver {
    /// The sender's authority.
    pub epoch: LeaderEpoch,
    /// The last record that it ordered, which the receiver holds.
    pub upto: Lsn,
}

/// The sender leads, and knows the receiver by its disk; see `membership`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The sender's authority.
    pub epoch: LeaderEpoch,
    /// The disk on which the receiver is known to be.
    pub incarnation: Incarnation,
}

/// The sender may have forgotten what it promised; see `amnesia`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRequest {
    /// The boot of the sender: an answer to an earlier one says nothing.
    pub boot: u64,
}

/// The answer to a [`RecoveryRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryAnswer {
    /// The boot that is answered.
    pub boot: u64,
    /// The newest epoch that the sender knows.
    pub epoch: LeaderEpoch,
    /// Whether the sender itself has forgotten nothing.
    pub is_whole: bool,
    /// Whether the sender holds no record at all.
    pub is_empty: bool,
    /// The end of the sender's log, if it leads in that epoch.
    pub leads_upto: Option<Lsn>,
}

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// See [`Append`].
    Append(Append),
    /// See [`Ack`].
    Ack(Ack),
    /// See [`Reject`].
    Reject(Reject),
    /// See [`Fenced`].
    Fenced(Fenced),
    /// See [`VoteRequest`].
    VoteRequest(VoteRequest),
    /// See [`Vote`].
    Vote(Vote),
    /// See [`TakeOver`].
    TakeOver(TakeOver),
    /// See [`RecoveryRequest`].
    RecoveryRequest(RecoveryRequest),
    /// See [`RecoveryAnswer`].
    RecoveryAnswer(RecoveryAnswer),
    /// A [`Vote`] that says nothing of the voter's log, because the voter may have lost a part of it.
    BlankVote(Vote),
    /// See [`Quiesce`].
    Quiesce(Quiesce),
    /// See [`Welcome`].
    Welcome(Welcome),
}

impl Message {
    /// Whether it is said only to who has asked.
    pub(crate) const fn is_answer(&self) -> bool {
        match self {
            Self::Ack(_)
            | Self::Reject(_)
            | Self::Fenced(_)
            | Self::Vote(_)
            | Self::RecoveryAnswer(_)
            | Self::BlankVote(_) => true,
            Self::Append(_)
            | Self::VoteRequest(_)
            | Self::TakeOver(_)
            | Self::RecoveryRequest(_)
            | Self::Quiesce(_)
            | Self::Welcome(_) => false,
        }
    }
}
