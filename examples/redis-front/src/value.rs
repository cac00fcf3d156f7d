//! What a key holds, as it is stored.
//!
//! ```text
//! tag u8 (1 string, 2 set; 0x80: expires) | [expires_at u64] | stamp u64 | payload
//! ```
//!
//! The cell around it expires by itself; the copy of the expiry in here is what `TTL` reads. The
//! stamp is another one for every write of a key, so that `WATCH` notices a write of the same value.

use bytes::{BufMut, Bytes, BytesMut};

const STRING: u8 = 1;
const SET: u8 = 2;
const EXPIRES: u8 = 0x80;

/// Bytes in front of the payload of a value that does not expire.
const HEAD: usize = 9;

/// Longest payload, in bytes. What a command returns and what it writes share one log entry, which
/// travels in one frame of 1 MiB.
pub const PAYLOAD_MAX: usize = 512 * 1024 - 64;

/// What kind of value a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    String,
    /// Distinct members; see [`members`](crate::members).
    Set,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its kind.
    pub kind: Kind,
    /// Milliseconds since the Unix epoch after which it counts as absent.
    pub expires_at: Option<u64>,
    /// Tells this write of the key from every other.
    pub stamp: u64,
    /// The bytes, in the kind's encoding.
    pub payload: Bytes,
}

impl Value {
    /// A string that does not expire.
    pub const fn string(payload: Bytes, stamp: u64) -> Self {
        Self {
            kind: Kind::String,
            expires_at: None,
            stamp,
            payload,
        }
    }

    /// Reads a stored value; `None` for bytes that this database never wrote.
    ///
    /// ```
    /// use redis_front::value::Value;
    /// let value = Value::string("hello".into(), 7);
    /// assert_eq!(Value::decode(&value.encode()), Some(value));
    /// ```
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let kind = match tag & !EXPIRES {
            STRING => Kind::String,
            SET => Kind::Set,
            _ => return None,
        };
        let (expires_at, rest) = if tag & EXPIRES == 0 {
            (None, rest)
        } else {
            let (at, rest) = rest.split_first_chunk()?;
            (Some(u64::from_le_bytes(*at)), rest)
        };
        let (stamp, payload) = rest.split_first_chunk()?;
        Some(Self {
            kind,
            expires_at,
            stamp: u64::from_le_bytes(*stamp),
            payload: bytes.slice_ref(payload),
        })
    }

    /// The stored form.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEAD + 8 + self.payload.len());
        let tag = match self.kind {
            Kind::String => STRING,
            Kind::Set => SET,
        };
        match self.expires_at {
            None => out.put_u8(tag),
            Some(at) => {
                out.put_u8(tag | EXPIRES);
                out.put_u64_le(at);
            }
        }
        out.put_u64_le(self.stamp);
        out.put_slice(&self.payload);
        out.freeze()
    }
}

/// Replaces `out` by the stored form of a string that does not expire: what a plain `SET` writes.
pub(crate) fn encode_string(payload: &[u8], stamp: u64, out: &mut Vec<u8>) {
    out.clear();
    out.push(STRING);
    out.extend_from_slice(&stamp.to_le_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Kind, Value, encode_string};

    #[test]
    fn every_kind_is_read_back_as_it_was_written() {
        for kind in [Kind::String, Kind::Set] {
            for expires_at in [None, Some(0), Some(u64::MAX)] {
                let payload = Bytes::from_static(b"\x00\xff payload");
                let stamp = 0x0102_0304_0506_0708;
                let value = Value {
                    kind,
                    expires_at,
                    stamp,
                    payload,
                };
                assert_eq!(Value::decode(&value.encode()), Some(value));
            }
        }
    }

    #[test]
    fn the_short_way_to_a_string_writes_the_same_bytes() {
        let mut out = vec![9; 3];
        encode_string(b"abc", 5, &mut out);
        assert_eq!(out, Value::string("abc".into(), 5).encode());
    }

    #[test]
    fn bytes_of_another_origin_are_no_value() {
        let whole = Value::string("abc".into(), 5).encode();
        for len in 0..9 {
            assert_eq!(Value::decode(&whole.slice(..len)), None);
        }
        assert_eq!(Value::decode(&Bytes::from_static(b"\x03123456789")), None);
        assert_eq!(Value::decode(&Bytes::from_static(b"\x811234567")), None);
    }
}
