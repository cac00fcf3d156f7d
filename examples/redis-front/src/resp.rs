//! Replies on the wire. The bytes of every part come from the `redis-protocol` crate; only the heads
//! of aggregates are written here, because the crate's maps and sets are hash tables, and an answer
//! is not worth building one.

use bytes::{BufMut, BytesMut};
use redis_protocol::resp2::{encode as resp2, types::BorrowedFrame as Frame2};
use redis_protocol::resp3::encode::complete as resp3;
use redis_protocol::resp3::types::{BorrowedFrame as Frame3, VerbatimStringFormat};

use crate::reply::Reply;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// What a client speaks until it says `HELLO 3`.
    #[default]
    Resp2,
    /// With maps, sets and one kind of nothing.
    Resp3,
}

/// Appends a reply to `out`.
pub fn encode(reply: &Reply, version: Version, out: &mut BytesMut) {
    let is_new = version == Version::Resp3;
    match reply {
        // Nine of ten replies to a pipeline of writes.
        Reply::Simple("OK") => out.put_slice(b"+OK\r\n"),
        Reply::Array(items) => {
            head(out, b'*', items.len());
            encode_all(items, version, out);
        }
        Reply::Set(items) => {
            head(out, if is_new { b'~' } else { b'*' }, items.len());
            encode_all(items, version, out);
        }
        Reply::Map(pairs) => {
            let (sign, len) = if is_new {
                (b'%', pairs.len())
            } else {
                (b'*', pairs.len() * 2)
            };
            head(out, sign, len);
            for (key, value) in pairs {
                encode(key, version, out);
                encode(value, version, out);
            }
        }
        Reply::NilArray if !is_new => out.put_slice(b"*-1\r\n"),
        leaf if is_new => encode_leaf_3(leaf, out),
        leaf => encode_leaf_2(leaf, out),
    }
}

fn encode_all(items: &[Reply], version: Version, out: &mut BytesMut) {
    for item in items {
        encode(item, version, out);
    }
}

fn head(out: &mut BytesMut, sign: u8, len: usize) {
    out.put_u8(sign);
    out.put_slice(len.to_string().as_bytes());
    out.put_slice(b"\r\n");
}

fn encode_leaf_2(leaf: &Reply, out: &mut BytesMut) {
    let frame = match leaf {
        Reply::Simple(word) => Frame2::SimpleString(word.as_bytes()),
        Reply::Error(text) => Frame2::Error(text),
        Reply::Int(number) => Frame2::Integer(*number),
        Reply::Bulk(bytes) => Frame2::BulkString(bytes),
        Reply::Text(text) => Frame2::BulkString(text.as_bytes()),
        Reply::Nil | Reply::NilArray | Reply::Array(_) | Reply::Set(_) | Reply::Map(_) => {
            Frame2::Null
        }
    };
    let encoded = resp2::extend_encode_borrowed(out, &frame, false);
    debug_assert!(encoded.is_ok(), "the buffer grows with the frame");
}

fn encode_leaf_3(leaf: &Reply, out: &mut BytesMut) {
    let attributes = None;
    let frame = match leaf {
        Reply::Simple(word) => Frame3::SimpleString {
            data: word.as_bytes(),
            attributes,
        },
        Reply::Error(data) => Frame3::SimpleError { data, attributes },
        Reply::Int(number) => Frame3::Number {
            data: *number,
            attributes,
        },
        Reply::Bulk(data) => Frame3::BlobString { data, attributes },
        Reply::Text(text) => Frame3::VerbatimString {
            data: text.as_bytes(),
            format: VerbatimStringFormat::Text,
            attributes,
        },
        Reply::Nil | Reply::NilArray | Reply::Array(_) | Reply::Set(_) | Reply::Map(_) => {
            Frame3::Null
        }
    };
    let encoded = resp3::extend_encode_borrowed(out, &frame, false);
    debug_assert!(encoded.is_ok(), "the buffer grows with the frame");
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{Version, encode};
    use crate::reply::{OK, Reply};

    fn both(reply: &Reply) -> [String; 2] {
        [Version::Resp2, Version::Resp3].map(|version| {
            let mut out = BytesMut::new();
            encode(reply, version, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        })
    }

    #[test]
    fn each_version_gets_its_own_bytes() {
        let same = |text: &str| [text.to_owned(), text.to_owned()];
        assert_eq!(both(&OK), same("+OK\r\n"));
        assert_eq!(both(&Reply::Int(-7)), same(":-7\r\n"));
        assert_eq!(both(&Reply::Error("ERR no".into())), same("-ERR no\r\n"));
        assert_eq!(both(&Reply::bulk(b"a\r\n")), same("$3\r\na\r\n\r\n"));
        assert_eq!(both(&Reply::Nil), ["$-1\r\n", "_\r\n"]);
        assert_eq!(both(&Reply::NilArray), ["*-1\r\n", "_\r\n"]);
        let item = || Reply::bulk(b"x");
        let set = Reply::Set(vec![item(), Reply::Nil]);
        assert_eq!(
            both(&set),
            ["*2\r\n$1\r\nx\r\n$-1\r\n", "~2\r\n$1\r\nx\r\n_\r\n"]
        );
        let map = Reply::Map(vec![(item(), Reply::Array(vec![]))]);
        assert_eq!(
            both(&map),
            ["*2\r\n$1\r\nx\r\n*0\r\n", "%1\r\n$1\r\nx\r\n*0\r\n"]
        );
        assert_eq!(
            both(&Reply::Text("hi".into())),
            ["$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"]
        );
    }
}
