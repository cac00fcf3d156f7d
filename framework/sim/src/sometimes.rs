//! Situations that a campaign must reach: a test that never met them proves nothing about them.

macro_rules! situations {
    ($($(#[$meta:meta])* $case:ident $name:literal $replicated:literal,)*) => {
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

            /// Whether it takes a protocol with more than one copy to reach it.
            pub const fn needs_copies(self) -> bool {
                match self {
                    $(Self::$case => $replicated,)*
                }
            }
        }
    };
}

situations! {
    /// A follower installed a snapshot while the leader took writes.
    SnapshotInstalledUnderLoad "snapshot-installed-under-load" true,
    /// A follower cut the end of its log off.
    SuffixTruncated "follower-truncated-suffix" true,
    /// A retry was answered from the dedup table after a restart of the node.
    RetryAnsweredAfterRestart "retry-answered-from-dedup-after-restart" false,
    /// A write was acknowledged twice under one request id, with the same result.
    DuplicateAcknowledged "duplicate-acknowledged-once-applied" false,
    /// A request below the dedup window was refused.
    SessionExpired "request-below-dedup-window-refused" false,
    /// A follower asked for entries that the leader had trimmed.
    TrimmedPastFollower "log-trimmed-past-follower" true,
    /// All nodes lost power while writes were under way.
    PowerLostUnderWrites "all-power-lost-with-writes-in-flight" false,
    /// A power loss took a part of the log that was not synced.
    UnsyncedTailLost "unsynced-tail-lost" false,
    /// A node restarted from a snapshot and the log behind it.
    RecoveredFromSnapshot "recovered-from-snapshot-and-log" false,
    /// A log segment was reused or a stream trimmed while the node ran.
    LogTrimmed "log-trimmed" false,
    /// A snapshot transfer went on after an interruption instead of starting over.
    TransferResumed "snapshot-transfer-resumed" true,
    /// The disk was full when a burst was to be written, and the burst was written later.
    WroteAfterFull "burst-written-after-disk-full" false,
    /// A node stood still with requests in its inbox.
    PausedUnderLoad "paused-with-requests-waiting" false,
    /// A follower refused a read at leader level.
    FollowerRefusedLeaderRead "follower-refused-leader-read" true,
    /// A session read waited for its position, and was answered.
    SessionReadWaited "session-read-served-at-follower" true,
    /// A compare-and-set met another value.
    Conflict "compare-and-set-conflict" false,
    /// An expired key was removed by a logged delete.
    ExpiryLogged "expiry-logged" false,
    /// A node stopped because its disk failed.
    StoppedWithItsDisk "stopped-with-its-disk" false,
    /// A replica found entries of its log rotten, and started with what was left.
    DamageFound "rotten-log-found" true,
    /// Two replicas were compared at equal positions while writes went on.
    DigestsComparedUnderLoad "digests-compared-under-load" true,
}

/// How often each situation was reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    counts: [u64; Situation::ALL.len()],
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
