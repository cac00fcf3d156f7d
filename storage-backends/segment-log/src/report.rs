//! What the log tells about itself.

use repertoire_core::GroupId;

/// A place in the log. Ordered as the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The segment.
    pub sequence: u64,
    /// Bytes from the start of its file.
    pub offset: u32,
}

/// Damaged bytes below the synced point, found when the log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the damage starts.
    pub at: LogPosition,
    /// Where sound records go on; equal to `at` when records are missing without a trace.
    pub until: LogPosition,
    /// Whose record was hit. `None` when nothing tells: then every group counts as damaged, also
    /// one of which no record is left.
    pub group: Option<GroupId>,
}

/// Figures of a log. Bytes are bytes, the rest are counts; all but the first four are sums since
/// the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Segments that hold the log.
    pub segments_live: u64,
    /// Empty segments, ready for use.
    pub segments_ready: u64,
    /// Files that wait to be made ready again.
    pub segments_spare: u64,
    /// Bytes of records that are worth something.
    pub bytes_live: u64,
    /// Bursts written, the log's own included.
    pub bursts: u64,
    /// Bytes of records written, heads and padding included.
    pub bytes_written: u64,
    /// Bytes of those that were copies of older records.
    pub bytes_copied: u64,
    /// `fdatasync` calls on segments that hold the log.
    pub syncs: u64,
    /// Segments that were emptied and set free.
    pub segments_freed: u64,
    /// Segments that had to be made ready while a write waited.
    pub segments_late: u64,
    /// Bytes that recovery cut off as a torn tail.
    pub bytes_cut: u64,
}
