//! What can go wrong, by script or by chance.

use repertoire_segment_log::DiskErrorKind;

/// One scripted fault. It happens once. Operations are counted from 1 since the fault was
/// injected, each kind for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The nth `write_at` fails; nothing is written.
    FailWrite {
        /// Which.
        nth: u64,
        /// How.
        kind: DiskErrorKind,
    },
    /// The nth `allocate` or `create` fails; nothing is written.
    FailAllocate {
        /// Which.
        nth: u64,
        /// How.
        kind: DiskErrorKind,
    },
    /// The nth `sync_data` or `sync_dir` fails; what it should have synced stays unsynced.
    FailSync {
        /// Which.
        nth: u64,
        /// How.
        kind: DiskErrorKind,
    },
    /// The nth `read_at` fails.
    FailRead {
        /// Which.
        nth: u64,
        /// How.
        kind: DiskErrorKind,
    },
    /// The nth `write_at` writes its first `keep` bytes only; then the power fails.
    TearWrite {
        /// Which.
        nth: u64,
        /// Bytes that are written.
        keep: usize,
    },
    /// The power fails before the nth operation that changes anything or syncs.
    PowerOff {
        /// Which.
        nth: u64,
    },
}

/// How likely faults are, for a disk that fails by chance. All rates are in parts per million of
/// the operations concerned; zero, the default, means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// `write_at` fails for good.
    pub write_failure: u32,
    /// `sync_data` or `sync_dir` fails.
    pub sync_failure: u32,
    /// `allocate` or `create` finds no space.
    pub full: u32,
    /// `read_at` fails.
    pub read_failure: u32,
    /// An operation is slow.
    pub slow: u32,
    /// The longest delay of a slow operation, in nanoseconds.
    pub delay_max_nanos: u64,
}
