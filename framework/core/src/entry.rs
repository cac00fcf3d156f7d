//! Log entries: batches of records that a leader sealed together.
//!
//! An entry's body is opaque to protocols. The pipeline writes it and reads it back when the entry
//! is applied:
//!
//! ```text
//! body   := run *
//! run    := client u128 | first_seq u64 | acked_upto u64 | count u32 | record * count
//! record := payload_hash u32 | result blob | payload blob
//! ```
//!
//! A run holds consecutive requests of one client, so that naming each write for ever costs a few
//! bytes a record. The payload is written by the keyspace's log format, named in the entry's head.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, DecodeError};
use crate::limits::{DATA_FRAME_MAX, ENTRY_RECORDS_MAX};
use crate::{Acks, EntryId, LeaderEpoch, Lsn, Wall};

/// Bytes of an encoded entry's head.
pub const ENTRY_HEAD_LEN: usize = 36;

/// What an entry is for. Append-only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum EntryKind {
    /// Records of clients.
    #[default]
    Records = 0,
    /// Nothing: a new leader's first entry, which commits older ones.
    Barrier = 1,
    /// A change of the group's members.
    Config = 2,
    /// A change of the synchronous set.
    SyncSet = 3,
}

impl EntryKind {
    fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            0 => Ok(Self::Records),
            1 => Ok(Self::Barrier),
            2 => Ok(Self::Config),
            3 => Ok(Self::SyncSet),
            other => Err(DecodeError::Invalid {
                field: "entry kind",
                value: other.into(),
            }),
        }
    }
}

/// The number under which a log format is known on disk and on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormatTag(pub u8);

/// A sealed batch of records with consecutive LSNs. Cheap to clone: the body is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The leadership that made it.
    pub epoch: LeaderEpoch,
    /// LSN of its first record.
    pub first: Lsn,
    /// Records in it; at least 1 (a barrier counts as one record).
    pub count: u32,
    /// The leader's wall clock when it was sealed, never less than in the entry before: the only
    /// time that expiry and dedup know.
    pub wall: Wall,
    /// What it is for.
    pub kind: EntryKind,
    /// Who can read the payloads of its records.
    pub format: FormatTag,
    /// Copies that it needs before it is visible.
    pub acks: Acks,
    /// See the module's documentation.
    pub body: Bytes,
}

impl Entry {
    /// The last record's name.
    pub fn last(&self) -> EntryId {
        EntryId::new(self.epoch, self.last_lsn())
    }

    /// LSN of the last record.
    pub fn last_lsn(&self) -> Lsn {
        self.first.plus(u64::from(self.count).saturating_sub(1))
    }

    /// Length of the encoding, in bytes.
    pub fn encoded_len(&self) -> usize {
        ENTRY_HEAD_LEN + self.body.len()
    }

    /// The encoded head; the body follows it unchanged.
    ///
    /// ```text
    /// epoch u64 | first u64 | count u32 | wall u64 | kind u8 | format u8 | acks u8 | k u8 | len u32
    /// ```
    pub fn encode_head(&self) -> [u8; ENTRY_HEAD_LEN] {
        let mut fixed = [0; ENTRY_HEAD_LEN];
        let mut head = fixed.as_mut_slice();
        head.put_u64_le(self.epoch.0);
        head.put_u64_le(self.first.0);
        head.put_u32_le(self.count);
        head.put_u64_le(self.wall.0);
        head.put_u8(self.kind as u8);
        head.put_u8(self.format.0);
        let (acks, k) = match self.acks {
            Acks::Async => (0, 0),
            Acks::SemiSync(k) => (1, k),
            Acks::Sync => (2, 0),
            Acks::Majority => (3, 0),
        };
        head.put_u8(acks);
        head.put_u8(k);
        head.put_u32_le(crate::cursor::len_u32(&self.body));
        debug_assert!(head.is_empty(), "the length is that of the fields");
        fixed
    }

    /// Appends head and body to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        out.put_slice(&self.encode_head());
        out.put_slice(&self.body);
    }

    /// Takes one entry off the front of `bytes`; the body shares their memory.
    ///
    /// # Errors
    /// When the head is damaged or the body is cut short.
    pub fn decode(bytes: &mut Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let epoch = LeaderEpoch(cursor.u64("entry epoch")?);
        let first = Lsn(cursor.u64("entry lsn")?);
        let count = cursor.u32("entry count")?;
        let wall = Wall(cursor.u64("entry time")?);
        let kind = EntryKind::from_byte(cursor.u8("entry kind")?)?;
        let format = FormatTag(cursor.u8("entry format")?);
        let acks = decode_acks(cursor.u8("entry acks")?, cursor.u8("entry copies")?)?;
        let len = cursor.u32("entry body")? as usize;
        if len > DATA_FRAME_MAX {
            let max = DATA_FRAME_MAX as u64;
            return Err(DecodeError::TooLong {
                field: "entry body",
                len: len as u64,
                max,
            });
        }
        if count == 0 || count as usize > ENTRY_RECORDS_MAX || first == Lsn::ZERO {
            return Err(DecodeError::Invalid {
                field: "entry count",
                value: count.into(),
            });
        }
        if bytes.len() < ENTRY_HEAD_LEN + len {
            return Err(DecodeError::Truncated {
                field: "entry body",
            });
        }
        let mut taken = bytes.split_to(ENTRY_HEAD_LEN + len);
        let body = taken.split_off(ENTRY_HEAD_LEN);
        Ok(Self {
            epoch,
            first,
            count,
            wall,
            kind,
            format,
            acks,
            body,
        })
    }
}

fn decode_acks(mode: u8, k: u8) -> Result<Acks, DecodeError> {
    match mode {
        0 => Ok(Acks::Async),
        1 => Ok(Acks::SemiSync(k)),
        2 => Ok(Acks::Sync),
        3 => Ok(Acks::Majority),
        other => Err(DecodeError::Invalid {
            field: "entry acks",
            value: other.into(),
        }),
    }
}
