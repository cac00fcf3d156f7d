//! Replies inside the log: what a command that ran at the leader returns to the connection, which
//! alone knows what version of the protocol its client speaks.
//!
//! ```text
//! ok 0 | error 1 text | int 2 i64 | bulk 3 bytes | nil 4 | array 5 count reply* | set 6 count reply*
//! word 7 text
//! ```
//!
//! Texts, bytes and counts begin with a `u32`, little-endian.

use bytes::{BufMut, Bytes, BytesMut};

use crate::reply::{OK, Reply};

/// Words that commands answer; the log holds their number.
const WORDS: [&str; 5] = ["OK", "PONG", "none", "string", "set"];

/// The packed form. Kinds that no command at the leader answers become nothing.
pub fn pack(reply: &Reply, out: &mut BytesMut) {
    match reply {
        Reply::Simple(word) => {
            let number = WORDS.iter().position(|known| known == word).unwrap_or(0);
            out.put_u8(7);
            out.put_u8(u8::try_from(number).unwrap_or(0));
        }
        Reply::Error(text) => put(out, 1, text.as_bytes()),
        Reply::Int(number) => {
            out.put_u8(2);
            out.put_i64_le(*number);
        }
        Reply::Bulk(bytes) => put(out, 3, bytes),
        Reply::Text(text) => put(out, 3, text.as_bytes()),
        Reply::Nil | Reply::NilArray | Reply::Map(_) => out.put_u8(4),
        Reply::Array(items) => pack_all(out, 5, items),
        Reply::Set(items) => pack_all(out, 6, items),
    }
}

fn put(out: &mut BytesMut, tag: u8, bytes: &[u8]) {
    out.put_u8(tag);
    out.put_u32_le(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
}

fn pack_all(out: &mut BytesMut, tag: u8, items: &[Reply]) {
    out.put_u8(tag);
    out.put_u32_le(u32::try_from(items.len()).unwrap_or(u32::MAX));
    for item in items {
        pack(item, out);
    }
}

/// Reads a packed reply; `None` for bytes that [`pack`] never wrote.
///
/// ```
/// use redis_front::{packed, reply::Reply};
/// let reply = Reply::Array(vec![Reply::Int(1), Reply::Nil]);
/// let mut bytes = bytes::BytesMut::new();
/// packed::pack(&reply, &mut bytes);
/// assert_eq!(packed::unpack(&bytes.freeze()), Some(reply));
/// ```
pub fn unpack(bytes: &Bytes) -> Option<Reply> {
    let mut rest = bytes.clone();
    let reply = take(&mut rest)?;
    rest.is_empty().then_some(reply)
}

fn take(rest: &mut Bytes) -> Option<Reply> {
    let tag = *rest.first()?;
    let _tag = rest.split_to(1);
    Some(match tag {
        0 => OK,
        1 => Reply::Error(String::from_utf8_lossy(&take_blob(rest)?).into_owned()),
        2 => {
            let (number, _) = rest.split_first_chunk()?;
            let number = i64::from_le_bytes(*number);
            let _number = rest.split_to(8);
            Reply::Int(number)
        }
        3 => Reply::Bulk(take_blob(rest)?),
        4 => Reply::Nil,
        5 => Reply::Array(take_all(rest)?),
        6 => Reply::Set(take_all(rest)?),
        7 => {
            let word = WORDS.get(usize::from(*rest.first()?))?;
            let _word = rest.split_to(1);
            Reply::Simple(word)
        }
        _ => return None,
    })
}

fn take_len(rest: &mut Bytes) -> Option<usize> {
    let (len, _) = rest.split_first_chunk()?;
    let len = u32::from_le_bytes(*len) as usize;
    let _len = rest.split_to(4);
    Some(len)
}

fn take_blob(rest: &mut Bytes) -> Option<Bytes> {
    let len = take_len(rest)?;
    (len <= rest.len()).then(|| rest.split_to(len))
}

fn take_all(rest: &mut Bytes) -> Option<Vec<Reply>> {
    let count = take_len(rest)?;
    // Each item takes a byte at least: a damaged count cannot reserve more than there is.
    (count <= rest.len()).then_some(())?;
    (0..count).map(|_| take(rest)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{pack, unpack};
    use crate::reply::{OK, Reply};

    #[test]
    fn what_is_packed_is_unpacked_and_no_prefix_is() {
        let reply = Reply::Array(vec![
            OK,
            Reply::Simple("string"),
            Reply::Error("ERR no".into()),
            Reply::Int(i64::MIN),
            Reply::Set(vec![Reply::bulk(b"\xff"), Reply::Nil]),
        ]);
        let mut out = BytesMut::new();
        pack(&reply, &mut out);
        let out = out.freeze();
        assert_eq!(unpack(&out), Some(reply));
        for len in 0..out.len() {
            assert_eq!(unpack(&out.slice(..len)), None, "{len}");
        }
        assert_eq!(unpack(&Bytes::from_static(b"\x05\xff\xff\xff\xff")), None);
    }
}
