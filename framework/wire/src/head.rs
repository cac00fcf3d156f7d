//! Postcard heads: whole, flat, nothing left over.

use bytes::Bytes;
use repertoire_core::DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes a head.
///
/// Heads are flat structs of integers, bounded text and bounded vectors; writing one into a growing
/// vector has no failure path.
pub fn encode_head<T: Serialize>(head: &T) -> Bytes {
    postcard::to_stdvec(head).unwrap_or_default().into()
}

/// Decodes a head that fills `bytes` exactly.
///
/// # Errors
/// `Head` when the bytes are no such head, `Trailing` when some are left over.
pub fn decode_head<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (head, rest) = postcard::take_from_bytes(bytes).map_err(|_| DecodeError::Head)?;
    if rest.is_empty() {
        Ok(head)
    } else {
        Err(DecodeError::Trailing { extra: rest.len() })
    }
}
