//! Situations that a campaign must reach: a test that never met them proves nothing about them.

/// What a protocol must be capable of for a situation to arise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing in particular.
    Nothing,
    /// More than one copy.
    Copies,
    /// Leaders that are elected.
    Elections,
    /// Groups whose members change.
    Members,
}

macro_rules! situations {
    ($($(#[$meta:meta])* $case:ident $name:literal $needs:ident,)*) => {
        /// A situation worth reaching.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Situation {
            $($(#[$meta])* $case,)*
        }

        impl Situation {
            /// Every situation.
            pub const ALL: &'static [Self] = &[$(Self::$case,)*];

            /// Its stable name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $name,)*
                }
            }

            /// What it takes to reach it.
            pub const fn needs(self) -> Needs {
                match self {
                    $(Self::$case => Needs::$needs,)*
                }
            }
        }
    };
}

situations! {
    /// A follower installed a snapshot while the leader took writes.
    SnapshotInstalledUnderLoad "snapshot-installed-under-load" Copies,
    /// A follower cut the end of its log off.
    SuffixTruncated "follower-truncated-suffix" Copies,
    /// A retry was answered from the dedup table after a restart of the node.
    RetryAnsweredAfterRestart "retry-answered-from-dedup-after-restart" Nothing,
    /// A write was acknowledged twice under one request id, with the same result.
    DuplicateAcknowledged "duplicate-acknowledged-once-applied" Nothing,
    /// A request below the dedup window was refused.
    SessionExpired "request-below-dedup-window-refused" Nothing,
    /// A follower asked for entries that the leader had trimmed.
    TrimmedPastFollower "log-trimmed-past-follower" Copies,
    /// All nodes lost power while writes were under way.
    PowerLostUnderWrites "all-power-lost-with-writes-in-flight" Nothing,
    /// A power loss took a part of the log that was not synced.
    UnsyncedTailLost "unsynced-tail-lost" Nothing,
    /// A node restarted from a snapshot and the log behind it.
    RecoveredFromSnapshot "recovered-from-snapshot-and-log" Nothing,
    /// A log segment was reused or a stream trimmed while the node ran.
    LogTrimmed "log-trimmed" Nothing,
    /// A snapshot transfer went on after an interruption instead of starting over.
    TransferResumed "snapshot-transfer-resumed" Copies,
    /// The disk was full when a burst was to be written, and the burst was written later.
    WroteAfterFull "burst-written-after-disk-full" Nothing,
    /// A node stood still with requests in its inbox.
    PausedUnderLoad "paused-with-requests-waiting" Nothing,
    /// A follower refused a read at leader level.
    FollowerRefusedLeaderRead "follower-refused-leader-read" Copies,
    /// A session read waited for its position, and was answered.
    SessionReadWaited "session-read-served-at-follower" Copies,
    /// A follower proved that it lags no more than a read allowed.
    BoundedReadAtFollower "bounded-read-served-at-follower" Copies,
    /// A compare-and-set met another value.
    Conflict "compare-and-set-conflict" Nothing,
    /// An expired key was removed by a logged delete.
    ExpiryLogged "expiry-logged" Nothing,
    /// A node stopped because its disk failed.
    StoppedWithItsDisk "stopped-with-its-disk" Nothing,
    /// A replica found entries of its log rotten, and started with what was left.
    DamageFound "rotten-log-found" Copies,
    /// Two replicas were compared at equal positions while writes went on.
    DigestsComparedUnderLoad "digests-compared-under-load" Copies,
    /// Another replica was elected than the one that led before.
    LeaderReplaced "leader-replaced" Elections,
    /// A leader was elected again.
    LeaderReelected "leader-reelected" Elections,
    /// A leader stopped leading because no quorum answered it.
    LeaderGaveUp "leader-gave-up-without-quorum" Elections,
    /// A replica asked for votes and was not elected in that epoch.
    ElectionWithoutWinner "election-without-winner" Elections,
    /// A new leader had entries that nobody had been told to be visible.
    EntriesInherited "entries-inherited" Elections,
    /// A leader without a lease answered a read after a majority had confirmed it.
    ReadConfirmed "read-confirmed-without-lease" Elections,
    /// A leader handed over to the replica that it was told to.
    LeaderTookOver "leader-took-over-as-wished" Elections,
    /// A leader that was to hand over went on leading.
    TransferExpired "transfer-expired" Elections,
    /// A controller promoted a replica that may vote.
    PromotionBegun "promotion-begun" Elections,
    /// A voter had more than the replica that a controller promoted, or heard a leader.
    PromotionRefused "promotion-refused" Elections,
    /// A replica leads because a controller promoted it.
    LeaderPromoted "leader-promoted" Elections,
    /// A controller knew of an older epoch than the replica that it promoted.
    PromotionOutdated "promotion-outdated" Elections,
    /// A group that nobody used came to rest.
    GroupQuiescent "group-quiescent" Copies,
    /// A group at rest was woken.
    GroupWoken "quiescent-group-woken" Copies,
    /// A voter that had lost its log, or its disk, votes again.
    VoterRecovered "voter-recovered" Elections,
    /// Writes of clients were discarded, and journaled.
    WriteDiscarded "write-discarded" Elections,
    /// A discarded write was carried out after all, because its client had sent it again.
    DiscardKept "discarded-write-kept" Elections,
    /// A group was given another member.
    MemberAdded "member-added" Members,
    /// A member was removed, or called off.
    MemberRemoved "member-removed" Members,
    /// A change of the members was refused because another one was under way.
    MemberChangeConflict "member-change-conflict" Members,
    /// A learner became a voter.
    VoterJoined "voter-joined" Members,
    /// A voter learned that it is none any more.
    VoterLeft "voter-left" Members,
    /// A replica on a fresh disk answered nothing to a leader that did not know that disk.
    NewcomerSilent "newcomer-silent" Members,
    /// A member lost its disk while members came and went.
    MemberWiped "member-wiped" Members,
}

/// How often each situation was reached.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    counts: [u64; Situation::ALL.len()],
}

impl Default for Reached {
    fn default() -> Self {
        Self {
            counts: [0; Situation::ALL.len()],
        }
    }
}

impl Reached {
    #[inline]
    pub(crate) fn note(&mut self, situation: Situation) {
        self.counts[situation as usize] += 1;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL
            .iter()
            .map(|case| (*case, self.counts[*case as usize]))
    }
}
