//! Snapshots: a header and checksummed chunks of rows. Never paths from the wire.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::Space;
use crate::cursor::{Cursor, DecodeError};
use crate::limits::{KEY_MAX, SNAPSHOT_CHUNK_MAX};
use crate::op::put_blob;
use crate::{ConfigEpoch, EntryId, FormatTag, GroupId};

/// What a snapshot is of. Two snapshots with equal headers hold equal chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The group.
    pub group: GroupId,
    /// The descriptor's version when it was taken.
    pub config_epoch: ConfigEpoch,
    /// The last record that it covers.
    pub position: EntryId,
    /// The cluster's feature level when it was taken.
    pub feature_level: u32,
    /// The log format in force, whose records follow it.
    pub format: FormatTag,
    /// The protocol's state at that position.
    #[serde(with = "crate::blob")]
    pub frontier: Bytes,
    /// CRC-32C of each chunk, in order.
    pub chunks: Vec<u32>,
    /// Bytes of all chunks.
    pub bytes: u64,
}

/// Takes one row: space, key, value.
pub type RowVisitor<'v> = dyn FnMut(Space, &[u8], &[u8]) + 'v;

/// Rows of a snapshot: `space u8 | key blob | value blob`, repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotChunk {
    rows: BytesMut,
}

impl SnapshotChunk {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the bytes of a received chunk; they are checked when they are visited.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            rows: BytesMut::from(bytes),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, space: Space, key: &[u8], value: &[u8]) {
        self.rows.extend_from_slice(&[space as u8]);
        put_blob(&mut self.rows, key);
        put_blob(&mut self.rows, value);
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// CRC-32C of its bytes.
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.rows)
    }

    /// Its bytes; the chunk is empty afterwards.
    pub fn take(&mut self) -> Bytes {
        self.rows.split().freeze()
    }

    /// Visits the rows in order.
    ///
    /// # Errors
    /// When the bytes are damaged; rows before the damage were visited.
    pub fn visit(&self, visit: &mut RowVisitor<'_>) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(&self.rows);
        while !cursor.is_empty() {
            let space = match cursor.u8("space")? {
                0 => Space::Data,
                1 => Space::Replicated,
                other => {
                    return Err(DecodeError::Invalid {
                        field: "space",
                        value: other.into(),
                    });
                }
            };
            // Keys of the replicated space put a few bytes before a client's key.
            let key = cursor.blob(KEY_MAX + 64, "key")?;
            visit(space, key, cursor.blob(SNAPSHOT_CHUNK_MAX, "value")?);
        }
        Ok(())
    }
}
