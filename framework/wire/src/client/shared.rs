//! Reading hand-framed bodies from shared bytes: like core's cursor, but blobs keep the frame alive
//! instead of borrowing from it.

use bytes::{Buf, Bytes};
use repertoire_core::DecodeError;
use repertoire_core::cursor::Cursor;

/// Takes a blob out of shared bytes, without copying.
pub(crate) fn take_blob(
    bytes: &mut Bytes,
    max: usize,
    field: &'static str,
) -> Result<Bytes, DecodeError> {
    let len = take_u32(bytes, field)?;
    let wanted = usize::try_from(len).unwrap_or(usize::MAX);
    if wanted > max {
        return Err(DecodeError::TooLong {
            field,
            len: len.into(),
            max: max as u64,
        });
    }
    if wanted > bytes.len() {
        return Err(DecodeError::Truncated { field });
    }
    Ok(bytes.split_to(wanted))
}

/// Takes a byte out of shared bytes.
pub(crate) fn take_u8(bytes: &mut Bytes, field: &'static str) -> Result<u8, DecodeError> {
    bytes
        .try_get_u8()
        .map_err(|_| DecodeError::Truncated { field })
}

/// Takes an integer out of shared bytes.
pub(crate) fn take_u32(bytes: &mut Bytes, field: &'static str) -> Result<u32, DecodeError> {
    bytes
        .try_get_u32_le()
        .map_err(|_| DecodeError::Truncated { field })
}

/// Takes an integer out of shared bytes.
pub(crate) fn take_u64(bytes: &mut Bytes, field: &'static str) -> Result<u64, DecodeError> {
    bytes
        .try_get_u64_le()
        .map_err(|_| DecodeError::Truncated { field })
}

/// Reads with a [`Cursor`] from the front of shared bytes and drops what was read.
pub(crate) fn with_cursor<T>(
    bytes: &mut Bytes,
    read: impl FnOnce(&mut Cursor<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let value = read(&mut cursor)?;
    let used = bytes.len() - cursor.rest().len();
    bytes.advance(used);
    Ok(value)
}
