//! The bytes on disk. The crate's README shows them field by field, with reasons.

mod record;
mod segment;
mod statement;

pub(crate) use record::{Draft, MAGIC, Prefix, RecordHead, push_record, record_len};
pub(crate) use segment::{SegmentHeader, SegmentHeaderError};
pub(crate) use statement::{BurstInfo, Kind, Statement, StreamState, epoch_prefix};

/// Version of everything below. A folder of another version is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Bytes before the first record of a segment: one page, so that no record shares a page, and
/// therefore a torn write, with the header.
pub const SEGMENT_HEADER_BYTES: u32 = 4096;

/// Bytes before the payload of a record.
pub const RECORD_HEAD_BYTES: u32 = 64;

/// Records start at multiples of this, so that a scan after damage has few places to look at.
pub const RECORD_ALIGNMENT: u32 = 8;

/// Bytes of a burst's header record, head included.
pub(crate) const BURST_BYTES: u32 = RECORD_HEAD_BYTES + 32;

/// What every checksum of a folder starts from: its identity. Records of another folder, and
/// look-alikes inside a client's value, do not validate.
pub(crate) fn checksum_seed(identity: u128) -> u32 {
    crc32c::crc32c(&identity.to_le_bytes())
}

/// A length or an offset inside a segment, which is at most 1 GiB long.
pub(crate) fn inside(len: usize) -> u32 {
    debug_assert!(u32::try_from(len).is_ok(), "segments are at most 1 GiB");
    u32::try_from(len).unwrap_or(u32::MAX)
}
