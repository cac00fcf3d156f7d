//! Planted bugs, to prove that the test kit would find real ones.
//!
//! Each [`Bug`] guards a change of at most three lines in product code. They are switched on at run
//! time, per thread, and exist only under the `sabotage` feature, which no release binary enables.
//! Without the feature [`planted`] is the constant `false` and the branches vanish.

/// A planted bug. The name says what product code then does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Bug {
    /// The leader counts its own copy before the log is durable.
    LeaderAcksBeforeDurable,
    /// A follower reports entries as durable before the log is.
    FollowerAcksBeforeDurable,
    /// A follower acknowledges its whole log, the unmatched suffix included.
    AckUnmatchedSuffix,
    /// The leader waits for one copy fewer than the ack mode says.
    QuorumMinusOne,
    /// A follower applies entries although one before them is missing.
    ApplyPastHole,
    /// A snapshot leaves the dedup table out.
    SnapshotForgetsDedup,
    /// A snapshot leaves the epoch history (frontier) out.
    SnapshotForgetsFrontier,
    /// A restarted leader goes on in its old epoch.
    EpochReusedAfterRestart,
    /// A follower accepts entries of a leader whose epoch is old.
    StaleLeaderAccepted,
    /// A follower truncates a suffix that matches.
    TruncateMatchingSuffix,
    /// Replays of a known request id are applied again.
    DedupIgnored,
    /// An entry is visible at the leader as soon as it is sealed.
    VisibleBeforeAcked,
    /// A weaker write is acknowledged although a stronger one before it is not.
    AckOvertakesPrefix,
    /// The evaluation of a compare-and-set ignores pending writes.
    OverlayIgnored,
    /// A follower sets its commit position to the leader's without looking at its own log.
    CommitBeyondMatched,
    /// Recovery keeps records beyond a torn one.
    RecoverPastTear,
    /// The log reports a burst as durable after writing, without syncing.
    SyncSkipped,
    /// The checkpoint is announced one entry further than the snapshot covers.
    CheckpointTooFar,
    /// A snapshot carries changes made after its position.
    SnapshotNotFixed,
    /// A read at leader level is served at a follower.
    FollowerServesLeaderRead,
    /// Truncation leaves the epoch history as it was.
    TruncateKeepsEpochs,
    /// A retransmitted entry that is already applied is appended again.
    ReappendApplied,
    /// A follower of which the leader knows nothing is asked once, and never again.
    ProbeAskedOnce,
    /// A leader obeys a fence that was meant for its former self.
    FenceFromThePast,
    /// An append that was overtaken is taken for one sent again: it is acknowledged and not stored.
    OvertakenTakenForRepeated,
    /// Room in the outbox is taken for the arrival of all that was sent.
    SentCountsAsHeld,
    /// A follower whose link is back counts as caught up.
    ReturnCountsAsCaughtUp,
    /// Recovery reads a few bursts beyond the last one that is known to be synced, and no more.
    RecoverFewBursts,
    /// A failed sync is taken for done.
    FailedSyncIgnored,
    /// Recovery takes rotten bytes for a torn tail, and says nothing.
    RotTakenForTornTail,
    /// The leader does not wait for its own log while that is far behind.
    BacklogCountsAsDurable,
    /// A burst that found no space is reported as written.
    FullCountsAsWritten,
    /// Changes count as applied once they were handed to the engine.
    HandedCountsAsApplied,
    /// A write that is long overdue is forgotten while it is still under way.
    OverdueWriteForgotten,
    /// Writes are logged although they outlive their session.
    SessionOutlived,
    /// The checksum of a record's payload is not compared.
    PayloadUnchecked,
    /// A replica answers a session whatever the session has seen.
    SessionTokenIgnored,
    /// A follower counts as caught up for as long as nobody tells it otherwise.
    SilenceCountsAsCaughtUp,
    /// A vote is given before it is durable.
    VoteBeforeDurable,
    /// A replica votes twice in one epoch.
    SecondVoteInEpoch,
    /// A replica votes for a log that is older than its own.
    VoteForOlderLog,
    /// One vote fewer than needed makes a leader.
    ElectionQuorumMinusOne,
    /// A leader answers reads without knowing that it still leads.
    StaleLeaderReads,
    /// A leader answers reads by its lease although it has asked another one to take over.
    LeaseOutlivesTransfer,
    /// A voter that may have forgotten votes gives votes all the same.
    AmnesiacVotes,
    /// A voter that may lack what it acknowledged votes before it holds that again.
    AmnesiaEndsEarly,
    /// A log is truncated before what goes is in the journal of discarded writes.
    TruncatesBeforeJournal,
    /// A log that a snapshot replaces is not journaled.
    ResetUnjournaled,
    /// A replica starts without its journal of discarded writes.
    JournalForgottenAtBoot,
    /// A replica that nobody has appointed asks for votes when it misses the leader.
    AppointedElect,
    /// A promotion asks for votes as if its operator accepted that writes are lost.
    PromotionIgnoresLogs,
    /// A leader changes the members before an entry of its own is visible.
    ChangeBeforeOwnEntry,
    /// The copy of a learner counts as a voter's.
    LearnerCountsAsVoter,
    /// A leader changes the members while the change before may be taken back.
    TwoChangesAtOnce,
    /// A replica on a fresh disk takes part under the name of the disk before.
    NewcomerCountsAsFounder,
}

impl Bug {
    /// Every planted bug.
    pub const ALL: [Self; 55] = [
        Self::LeaderAcksBeforeDurable,
        Self::FollowerAcksBeforeDurable,
        Self::AckUnmatchedSuffix,
        Self::QuorumMinusOne,
        Self::ApplyPastHole,
        Self::SnapshotForgetsDedup,
        Self::SnapshotForgetsFrontier,
        Self::EpochReusedAfterRestart,
        Self::StaleLeaderAccepted,
        Self::TruncateMatchingSuffix,
        Self::DedupIgnored,
        Self::VisibleBeforeAcked,
        Self::AckOvertakesPrefix,
        Self::OverlayIgnored,
        Self::CommitBeyondMatched,
        Self::RecoverPastTear,
        Self::SyncSkipped,
        Self::CheckpointTooFar,
        Self::SnapshotNotFixed,
        Self::FollowerServesLeaderRead,
        Self::TruncateKeepsEpochs,
        Self::ReappendApplied,
        Self::ProbeAskedOnce,
        Self::FenceFromThePast,
        Self::OvertakenTakenForRepeated,
        Self::SentCountsAsHeld,
        Self::ReturnCountsAsCaughtUp,
        Self::RecoverFewBursts,
        Self::FailedSyncIgnored,
        Self::RotTakenForTornTail,
        Self::BacklogCountsAsDurable,
        Self::FullCountsAsWritten,
        Self::HandedCountsAsApplied,
        Self::OverdueWriteForgotten,
        Self::SessionOutlived,
        Self::PayloadUnchecked,
        Self::SessionTokenIgnored,
        Self::SilenceCountsAsCaughtUp,
        Self::VoteBeforeDurable,
        Self::SecondVoteInEpoch,
        Self::VoteForOlderLog,
        Self::ElectionQuorumMinusOne,
        Self::StaleLeaderReads,
        Self::LeaseOutlivesTransfer,
        Self::AmnesiacVotes,
        Self::AmnesiaEndsEarly,
        Self::TruncatesBeforeJournal,
        Self::ResetUnjournaled,
        Self::JournalForgottenAtBoot,
        Self::AppointedElect,
        Self::PromotionIgnoresLogs,
        Self::ChangeBeforeOwnEntry,
        Self::LearnerCountsAsVoter,
        Self::TwoChangesAtOnce,
        Self::NewcomerCountsAsFounder,
    ];
}

impl Bug {
    /// Whether it takes groups whose members change to notice it.
    pub const fn concerns_members(self) -> bool {
        self as u8 >= Self::ChangeBeforeOwnEntry as u8
    }

    /// Whether it takes elected leaders to notice it.
    pub const fn concerns_elections(self) -> bool {
        self as u8 >= Self::VoteBeforeDurable as u8
    }
}

#[cfg(feature = "sabotage")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<u64> = Cell::new(from_environment());
    }

    /// The bugs that the variable `REPERTOIRE_PLANTED` names, separated by commas: for processes
    /// that nobody else can tell.
    fn from_environment() -> u64 {
        let names = std::env::var("REPERTOIRE_PLANTED").unwrap_or_default();
        let named = |bug: &&Bug| names.split(',').any(|name| name == format!("{bug:?}"));
        Bug::ALL
            .iter()
            .filter(named)
            .fold(0, |bits, bug| bits | 1 << *bug as u8)
    }

    /// Switches exactly these bugs on, for the calling thread.
    pub fn plant(bugs: &[Bug]) {
        PLANTED.with(|cell| cell.set(bugs.iter().fold(0, |bits, bug| bits | 1 << *bug as u8)));
    }

    /// Whether a bug is switched on for the calling thread.
    #[inline]
    pub fn planted(bug: Bug) -> bool {
        PLANTED.with(|cell| cell.get() & (1 << bug as u8) != 0)
    }
}

#[cfg(feature = "sabotage")]
pub use switch::{plant, planted};

/// Whether a bug is switched on: never, without the `sabotage` feature.
#[cfg(not(feature = "sabotage"))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}
