//! The header of a segment file, kept twice.

use bytes::BufMut;
use repertoire_core::DecodeError;
use repertoire_core::cursor::Cursor;

use super::{FORMAT_VERSION, SEGMENT_HEADER_BYTES};

const MAGIC: [u8; 8] = *b"rprtslog";

/// Bytes of one copy.
const COPY: usize = 64;

/// Where the copies are: in different sectors, so that one damaged sector leaves the other.
const COPIES_AT: [usize; 2] = [0, 2048];

/// What the first page of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The folder that the segment belongs to.
    pub identity: u128,
    /// Place of the segment in the log: the generation of its records. Never used twice.
    pub sequence: u64,
    /// Length of the file in bytes.
    pub size: u64,
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentHeaderError {
    /// No copy validates: the file was never used, or the header is damaged.
    Invalid,
    /// Another format version wrote it.
    Version(u32),
    /// It belongs to another folder.
    Identity(u128),
}

enum Copy {
    Valid(SegmentHeader),
    Foreign(SegmentHeaderError),
    Invalid,
}

impl SegmentHeader {
    /// The header page.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(COPY);
        copy.extend_from_slice(&MAGIC);
        copy.put_u32_le(FORMAT_VERSION);
        copy.put_u32_le(SEGMENT_HEADER_BYTES);
        copy.put_u128_le(self.identity);
        copy.put_u64_le(self.sequence);
        copy.put_u64_le(self.size);
        copy.resize(COPY - 4, 0);
        copy.put_u32_le(crc32c::crc32c(&copy));
        let mut page = vec![0; SEGMENT_HEADER_BYTES as usize];
        for at in COPIES_AT {
            if let Some(place) = page.get_mut(at..at + COPY) {
                place.copy_from_slice(&copy);
            }
        }
        page
    }

    /// Reads a header page. When both copies are valid but differ (a rewrite was torn), the later
    /// sequence counts.
    pub(crate) fn decode(page: &[u8], identity: u128) -> Result<Self, SegmentHeaderError> {
        let copies = COPIES_AT.map(|at| {
            let copy = page.get(at..at + COPY);
            copy.map_or(Copy::Invalid, |bytes| Self::copy(bytes, identity))
        });
        let valid = copies.iter().filter_map(|copy| match copy {
            Copy::Valid(header) => Some(*header),
            Copy::Foreign(_) | Copy::Invalid => None,
        });
        if let Some(header) = valid.max_by_key(|header| header.sequence) {
            return Ok(header);
        }
        let foreign = copies.iter().find_map(|copy| match copy {
            Copy::Foreign(why) => Some(*why),
            Copy::Valid(_) | Copy::Invalid => None,
        });
        Err(foreign.unwrap_or(SegmentHeaderError::Invalid))
    }

    fn copy(bytes: &[u8], identity: u128) -> Copy {
        let Ok((header, version, crc)) = Self::fields(bytes) else {
            return Copy::Invalid;
        };
        let sound = bytes.get(..COPY - 4).map(crc32c::crc32c) == Some(crc);
        // The fields up to the version are the same in all versions, and so is the checksum's place.
        if !bytes.starts_with(&MAGIC) || !sound {
            Copy::Invalid
        } else if version != FORMAT_VERSION {
            Copy::Foreign(SegmentHeaderError::Version(version))
        } else if header.identity != identity {
            Copy::Foreign(SegmentHeaderError::Identity(header.identity))
        } else {
            Copy::Valid(header)
        }
    }

    fn fields(bytes: &[u8]) -> Result<(Self, u32, u32), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        cursor.bytes(MAGIC.len(), "magic")?;
        let version = cursor.u32("version")?;
        cursor.u32("header length")?;
        let header = Self {
            identity: cursor.u128("identity")?,
            sequence: cursor.u64("sequence")?,
            size: cursor.u64("size")?,
        };
        cursor.bytes(12, "reserved")?;
        Ok((header, version, cursor.u32("checksum")?))
    }
}
