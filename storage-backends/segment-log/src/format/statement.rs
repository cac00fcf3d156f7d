//! What records say: their kinds and payloads.

use bytes::BufMut;
use repertoire_core::cursor::Cursor;
use repertoire_core::{DecodeError, ENTRY_HEAD_LEN, EntryId, LeaderEpoch, Lsn};

use super::{Prefix, RecordHead};
use crate::LogPosition;

/// What a record is for. Append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Burst = 1,
    Append = 2,
    Truncate = 3,
    HardState = 4,
    Checkpoint = 5,
    Reset = 6,
    StreamState = 7,
    Damaged = 8,
    Repaired = 9,
}

/// A burst's header. What it states was true when it was written, whatever became of the burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BurstInfo {
    /// The highest burst that was synced.
    pub synced_upto: u64,
    /// Everything before this position was synced.
    pub synced: LogPosition,
    /// The oldest segment that holds anything of value.
    pub oldest: u64,
    /// Records in the burst, without the header.
    pub records: u32,
}

/// All that is to know of a stream but its entries; makes the records that led there superfluous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamState {
    pub base: EntryId,
    pub last: EntryId,
    pub checkpoint: EntryId,
}

/// A decoded record, without the bulk of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Burst(BurstInfo),
    Append {
        first: Lsn,
        count: u32,
        epoch: LeaderEpoch,
    },
    Truncate(Lsn),
    HardState(bytes::Bytes),
    Checkpoint(EntryId),
    Reset(EntryId),
    StreamState(StreamState),
    Damaged,
    Repaired,
}

impl BurstInfo {
    pub(crate) fn prefix(&self) -> Prefix {
        let mut bytes = [0; 32];
        let mut rest = bytes.as_mut_slice();
        rest.put_u64_le(self.synced_upto);
        rest.put_u64_le(self.synced.sequence);
        rest.put_u64_le(self.oldest);
        rest.put_u32_le(self.synced.offset);
        rest.put_u32_le(self.records);
        Prefix::of(&bytes)
    }
}

impl StreamState {
    /// The record's position holds the LSN of the base.
    pub(crate) fn prefix(&self) -> Prefix {
        let mut bytes = [0; 40];
        let mut rest = bytes.as_mut_slice();
        rest.put_u64_le(self.base.epoch.0);
        rest.put_u64_le(self.last.epoch.0);
        rest.put_u64_le(self.last.lsn.0);
        rest.put_u64_le(self.checkpoint.epoch.0);
        rest.put_u64_le(self.checkpoint.lsn.0);
        Prefix::of(&bytes)
    }
}

/// The payload of a record whose position holds the LSN of `id`.
pub(crate) fn epoch_prefix(id: EntryId) -> Prefix {
    Prefix::of(&id.epoch.0.to_le_bytes())
}

impl Statement {
    /// Decodes a payload whose checksum holds.
    pub(crate) fn decode(head: &RecordHead, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(payload);
        let lsn = Lsn(head.position);
        let statement = match head.kind {
            1 => Self::Burst(burst(&mut cursor)?),
            2 => return append(payload, lsn),
            3 => Self::Truncate(lsn),
            4 => return Ok(Self::HardState(bytes::Bytes::copy_from_slice(payload))),
            5 => Self::Checkpoint(EntryId::new(epoch(&mut cursor)?, lsn)),
            6 => Self::Reset(EntryId::new(epoch(&mut cursor)?, lsn)),
            7 => Self::StreamState(StreamState {
                base: EntryId::new(epoch(&mut cursor)?, lsn),
                last: entry_id(&mut cursor)?,
                checkpoint: entry_id(&mut cursor)?,
            }),
            8 => Self::Damaged,
            9 => Self::Repaired,
            other => {
                return Err(DecodeError::Invalid {
                    field: "record kind",
                    value: other.into(),
                });
            }
        };
        cursor.finish()?;
        Ok(statement)
    }
}

fn burst(cursor: &mut Cursor<'_>) -> Result<BurstInfo, DecodeError> {
    let synced_upto = cursor.u64("synced burst")?;
    let sequence = cursor.u64("synced segment")?;
    let oldest = cursor.u64("oldest segment")?;
    let offset = cursor.u32("synced offset")?;
    Ok(BurstInfo {
        synced_upto,
        synced: LogPosition { sequence, offset },
        oldest,
        records: cursor.u32("records")?,
    })
}

/// Reads what the index needs of an entry; see `Entry::encode_head`.
fn append(payload: &[u8], lsn: Lsn) -> Result<Statement, DecodeError> {
    let mut cursor = Cursor::new(payload);
    let epoch = epoch(&mut cursor)?;
    let first = Lsn(cursor.u64("entry lsn")?);
    let count = cursor.u32("entry count")?;
    if first != lsn || count == 0 || payload.len() < ENTRY_HEAD_LEN {
        return Err(DecodeError::Invalid {
            field: "entry lsn",
            value: first.0,
        });
    }
    Ok(Statement::Append {
        first,
        count,
        epoch,
    })
}

fn epoch(cursor: &mut Cursor<'_>) -> Result<LeaderEpoch, DecodeError> {
    Ok(LeaderEpoch(cursor.u64("epoch")?))
}

fn entry_id(cursor: &mut Cursor<'_>) -> Result<EntryId, DecodeError> {
    Ok(EntryId::new(epoch(cursor)?, Lsn(cursor.u64("lsn")?)))
}
