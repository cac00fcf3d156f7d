//! Bodies of entries, as the write pipeline would make them.

use bytes::{Bytes, BytesMut};
use repertoire_core::put_blob;

/// The body of an entry: requests that are numbered by their text.
pub(crate) fn records(text: &str, count: u32) -> Bytes {
    let number = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mut body = BytesMut::new();
    body.extend_from_slice(&1_u128.to_le_bytes());
    body.extend_from_slice(&(u64::from(number) << 16).to_le_bytes());
    body.extend_from_slice(&0_u64.to_le_bytes());
    body.extend_from_slice(&count.to_le_bytes());
    for _ in 0..count {
        body.extend_from_slice(&number.to_le_bytes());
        put_blob(&mut body, b"");
        put_blob(&mut body, text.as_bytes());
    }
    body.freeze()
}
