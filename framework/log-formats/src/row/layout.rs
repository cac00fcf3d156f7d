//! Reading and writing of single changes.

use bytes::{BufMut, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::{DATA_FRAME_MAX, KEY_MAX};
use repertoire_core::{DecodeError, FormatError};

pub(super) const PUT: u8 = 1;
pub(super) const DELETE: u8 = 2;
pub(super) const EXPIRE: u8 = 4;
pub(super) const BEFORE: u8 = 0x80;

/// A change as it was logged, borrowed from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What happened to it.
    pub change: Change<'a>,
    /// The encoded cell that it held before, if that was logged and there was one.
    pub before: Option<&'a [u8]>,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It holds this encoded cell.
    Put(&'a [u8]),
    /// It is gone.
    Delete,
    /// It is gone if its cell expires at this time, and stays otherwise.
    Expire(u64),
}

/// Reads the changes of a payload. Ends after the first error.
pub fn changes(payload: &[u8]) -> impl Iterator<Item = Result<Logged<'_>, DecodeError>> {
    let mut cursor = Cursor::new(payload);
    let mut is_damaged = false;
    std::iter::from_fn(move || {
        if is_damaged || cursor.is_empty() {
            return None;
        }
        let logged = read(&mut cursor);
        is_damaged = logged.is_err();
        Some(logged)
    })
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Logged<'a>, DecodeError> {
    let kind = cursor.u8("change kind")?;
    let key = read_key(cursor)?;
    let change = match kind & !BEFORE {
        PUT => Change::Put(cursor.blob(DATA_FRAME_MAX, "cell")?),
        DELETE => Change::Delete,
        EXPIRE if kind & BEFORE == 0 => Change::Expire(cursor.u64("expiry")?),
        _ => {
            return Err(DecodeError::Invalid {
                field: "change kind",
                value: kind.into(),
            });
        }
    };
    let before = if kind & BEFORE == 0 {
        None
    } else {
        Some(cursor.blob(DATA_FRAME_MAX, "cell before")?)
    };
    Ok(Logged {
        key,
        change,
        before,
    })
}

fn read_key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], DecodeError> {
    let len = usize::from(cursor.u16("key length")?);
    if len > KEY_MAX {
        return Err(DecodeError::TooLong {
            field: "key",
            len: len as u64,
            max: KEY_MAX as u64,
        });
    }
    cursor.bytes(len, "key")
}

/// Writes the head of a change: its kind and key.
pub(super) fn put_head(out: &mut BytesMut, kind: u8, key: &[u8]) -> Result<(), FormatError> {
    let too_long = FormatError::Unsupported {
        what: "a key longer than a key may be",
    };
    if key.len() > KEY_MAX {
        return Err(too_long);
    }
    let len = u16::try_from(key.len()).map_err(|_| too_long)?;
    out.put_u8(kind);
    out.put_u16_le(len);
    out.put_slice(key);
    Ok(())
}
