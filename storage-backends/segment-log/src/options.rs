//! Settings of a log.

use repertoire_core::limits::DATA_FRAME_MAX;
use repertoire_core::{ENTRY_HEAD_LEN, Error, ErrorKind};

use crate::format::{BURST_BYTES, SEGMENT_HEADER_BYTES, record_len};

/// Offsets inside a segment are 32 bits wide and recovery holds one segment in memory.
const SEGMENT_BYTES_MAX: u32 = 1 << 30;

/// The file system's block: segments are whole blocks.
const SEGMENT_BYTES_STEP: u32 = 4096;

/// Active, next, reserve and one being emptied.
const SEGMENTS_MIN: u64 = 4;

/// Settings of a [`SegmentLog`](crate::SegmentLog).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names the data folder; a folder with segments of another identity is refused.
    pub identity: u128,
    /// Bytes of a segment file: a multiple of 4096, at most 1 GiB, large enough for the largest
    /// record. Segments of another size, from an earlier setting, stay readable.
    pub segment_bytes: u32,
    /// The largest encoded entry or hard state, in bytes.
    pub record_bytes_max: u32,
    /// Bytes that a stream may take on disk for slow followers, in groups without a
    /// [setting of their own](repertoire_core::LogStore::set_retention).
    pub retention_bytes: u64,
    /// Bytes that all files together may take; beyond it the log is full. At least 4 segments.
    pub capacity_bytes: u64,
    /// Whether every group counts as damaged, whatever the log holds: it is known to lack something.
    /// What is written down when it is opened, so that it need not be said again.
    pub distrusted: bool,
}

impl Options {
    /// The defaults for a node: segments of 64 MiB, entries of up to 1 MiB, 64 MiB of retention,
    /// no capacity limit.
    pub fn new(identity: u128) -> Self {
        let entry_bytes_max = u32::try_from(DATA_FRAME_MAX + ENTRY_HEAD_LEN).unwrap_or(u32::MAX);
        Self {
            identity,
            segment_bytes: 64 * 1024 * 1024,
            record_bytes_max: entry_bytes_max,
            retention_bytes: 64 * 1024 * 1024,
            capacity_bytes: u64::MAX,
            distrusted: false,
        }
    }

    /// Small segments, for simulations: the largest record that fits, no retention.
    pub fn small(identity: u128, segment_bytes: u32) -> Self {
        let used = SEGMENT_HEADER_BYTES + BURST_BYTES + record_len(0);
        Self {
            segment_bytes,
            record_bytes_max: segment_bytes.saturating_sub(used),
            retention_bytes: 0,
            ..Self::new(identity)
        }
    }

    /// How many bytes of a stream to keep so that its files take no more than `retention` and two
    /// segments. There are two empty segments beside the log, the oldest may be half dead before it
    /// is recycled, and the active one half empty. Of a retention of few segments half is kept.
    pub(crate) fn kept(&self, retention: u64) -> u64 {
        let slack = u64::from(self.segment_bytes) * 3 / 2;
        retention.saturating_sub(slack).max(retention / 2)
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming the setting and its bounds.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |setting: &str, value: u64, rule: String| {
            Error::new(ErrorKind::ConfigInvalid, "opening the log")
                .with("setting", setting)
                .with("value", value)
                .with("rule", rule)
        };
        let size = self.segment_bytes;
        if !size.is_multiple_of(SEGMENT_BYTES_STEP) || size > SEGMENT_BYTES_MAX {
            let rule = format!("a multiple of {SEGMENT_BYTES_STEP}, at most {SEGMENT_BYTES_MAX}");
            return Err(invalid("segment_bytes", size.into(), rule));
        }
        let used = SEGMENT_HEADER_BYTES + BURST_BYTES;
        let largest = u64::from(used) + u64::from(self.record_bytes_max) + u64::from(record_len(0));
        if largest > size.into() {
            let rule = format!("at least {largest}, so that the largest record fits");
            return Err(invalid("segment_bytes", size.into(), rule));
        }
        let floor = u64::from(size) * SEGMENTS_MIN;
        if self.capacity_bytes < floor {
            let rule = format!("at least {SEGMENTS_MIN} segments: {floor}");
            return Err(invalid("capacity_bytes", self.capacity_bytes, rule));
        }
        Ok(())
    }
}
