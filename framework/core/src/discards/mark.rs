//! What stands in the stream of discarded writes.
//!
//! ```text
//! body := 1 | was_visible u8 | entry
//!       | 2 | epoch u64 | lsn u64 | records u64
//!       | 3 | how u8 | (epoch u64 | lsn u64) *
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, DecodeError};
use crate::{Entry, EntryId, LeaderEpoch, Lsn};

/// How a discarded write was settled. Append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Settlement {
    /// The history holds its request after all: its client had sent it again, or it was replayed
    /// under its own request id.
    Kept = 0,
    /// Somebody wrote it again under another request id.
    Replayed = 1,
    /// Somebody has given it up.
    Acknowledged = 2,
}

impl Settlement {
    /// The settlement of that number.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Kept),
            1 => Some(Self::Replayed),
            2 => Some(Self::Acknowledged),
            _ => None,
        }
    }
}

/// One thing that the stream of discarded writes says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An entry was discarded.
    Entry {
        /// As it stood in the log.
        entry: Entry,
        /// Whether it was visible at this replica.
        was_visible: bool,
    },
    /// Records were discarded that nobody can list: the log had been trimmed, or the journal is full.
    Unlisted {
        /// The first of them.
        first: EntryId,
        /// How many, those of no client included.
        records: u64,
    },
    /// Records need no decision any more.
    Settled {
        /// Which.
        records: Vec<EntryId>,
        /// Why.
        how: Settlement,
    },
}

impl Mark {
    /// The body of the entry that says it.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Entry { entry, was_visible } => {
                out.reserve(2 + entry.encoded_len());
                out.put_u8(1);
                out.put_u8((*was_visible).into());
                entry.encode_into(&mut out);
            }
            Self::Unlisted { first, records } => {
                out.put_u8(2);
                put_id(&mut out, *first);
                out.put_u64_le(*records);
            }
            Self::Settled { records, how } => {
                out.put_u8(3);
                out.put_u8(*how as u8);
                records.iter().for_each(|id| put_id(&mut out, *id));
            }
        }
        out.freeze()
    }

    /// Reads a body back.
    ///
    /// # Errors
    /// When it is damaged, or of a later version.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let tag = cursor.u8("discard mark")?;
        let mark = match tag {
            1 => {
                let was_visible = cursor.u8("discard visible")? != 0;
                let mut rest = bytes.slice(2..);
                let entry = Entry::decode(&mut rest)?;
                if !rest.is_empty() {
                    return Err(DecodeError::Trailing { extra: rest.len() });
                }
                return Ok(Self::Entry { entry, was_visible });
            }
            2 => Self::Unlisted {
                first: take_id(&mut cursor)?,
                records: cursor.u64("discard records")?,
            },
            3 => {
                let byte = cursor.u8("discard settlement")?;
                let how = Settlement::from_byte(byte).ok_or(DecodeError::Invalid {
                    field: "discard settlement",
                    value: byte.into(),
                })?;
                let mut records = Vec::with_capacity(bytes.len() / 16);
                while !cursor.is_empty() {
                    records.push(take_id(&mut cursor)?);
                }
                Self::Settled { records, how }
            }
            other => {
                return Err(DecodeError::Invalid {
                    field: "discard mark",
                    value: other.into(),
                });
            }
        };
        cursor.finish().map(|()| mark)
    }
}

fn put_id(out: &mut BytesMut, id: EntryId) {
    out.put_u64_le(id.epoch.0);
    out.put_u64_le(id.lsn.0);
}

fn take_id(cursor: &mut Cursor<'_>) -> Result<EntryId, DecodeError> {
    let epoch = LeaderEpoch(cursor.u64("discard epoch")?);
    let lsn = Lsn(cursor.u64("discard lsn")?);
    Ok(EntryId::new(epoch, lsn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(epoch: u64, lsn: u64) -> EntryId {
        EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        let entry = Entry {
            epoch: LeaderEpoch(3),
            first: Lsn(7),
            count: 2,
            body: Bytes::from_static(b"records"),
            ..Entry::default()
        };
        let marks = [
            Mark::Entry {
                entry,
                was_visible: true,
            },
            Mark::Unlisted {
                first: id(3, 9),
                records: 4,
            },
            Mark::Settled {
                records: vec![id(3, 7), id(3, 8)],
                how: Settlement::Acknowledged,
            },
        ];
        for mark in marks {
            let bytes = mark.to_bytes();
            assert_eq!(Mark::from_bytes(&bytes), Ok(mark));
            assert!(Mark::from_bytes(&bytes.slice(..bytes.len() / 3)).is_err());
        }
    }

    #[test]
    fn the_bytes_of_a_settlement_stay_as_they_are() {
        let records = vec![id(1, 2)];
        let how = Settlement::Replayed;
        let bytes = Mark::Settled { records, how }.to_bytes();
        let golden = [3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes.as_ref(), golden);
    }
}
