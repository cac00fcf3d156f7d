//! The envelope that every frame has.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::{ConfigEpoch, DecodeError, GroupId};

use crate::error::too_long;
use crate::{Extensions, FrameKind, WireError};

/// Version of the envelope's layout.
pub const WIRE_VERSION: u8 = 1;

/// Bytes of the length in front of a frame.
pub const LENGTH_LEN: usize = 4;

/// Bytes between the length and the head.
pub const FIXED_LEN: usize = 1 + 1 + 4 + 4 + 8 + 2 + 2;

/// In a client's frame: the node finds the shard by the key.
pub const ANY_SHARD: u32 = u32::MAX;

/// What every frame says before its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the frame is about.
    pub kind: FrameKind,
    /// The group it concerns; zero where there is none.
    pub group: GroupId,
    /// The descriptor's version under which the sender speaks; zero where there is none.
    pub config_epoch: ConfigEpoch,
}

impl Envelope {
    /// An envelope that concerns no group.
    pub fn bare(kind: FrameKind) -> Self {
        Self {
            kind,
            group: GroupId::default(),
            config_epoch: ConfigEpoch::default(),
        }
    }
}

/// A frame in its parts. Head and body share the memory of the bytes they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is about.
    pub envelope: Envelope,
    /// The postcard head.
    pub head: Bytes,
    /// Fields of later versions.
    pub extensions: Extensions,
    /// The hand-framed body.
    pub body: Bytes,
}

impl Frame {
    /// A frame without extensions.
    pub const fn new(envelope: Envelope, head: Bytes, body: Bytes) -> Self {
        Self {
            envelope,
            head,
            extensions: Extensions::NONE,
            body,
        }
    }

    /// Encodes everything but the body, which is returned as it is, to be written behind it.
    ///
    /// # Errors
    /// `TooLong` when head, extensions and body together are longer than `max`.
    pub fn encode(&self, max: usize) -> Result<(Bytes, Bytes), WireError> {
        let room = LENGTH_LEN + FIXED_LEN + self.head.len() + self.extensions.as_bytes().len();
        let mut out = BytesMut::with_capacity(room);
        let parts = (&self.head[..], &self.extensions);
        put_front(&mut out, &self.envelope, parts, self.body.len(), max)?;
        Ok((out.freeze(), self.body.clone()))
    }

    /// Takes a frame apart, without its length in front, without copying. `known` are the tags of
    /// critical extensions that the reader understands.
    ///
    /// # Errors
    /// When the bytes are no frame of this version.
    pub fn decode(mut bytes: Bytes, known: &[u16]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(&bytes);
        let version = cursor.u8("version")?;
        if version != WIRE_VERSION {
            return Err(WireError::UnsupportedVersion { version });
        }
        let envelope = Envelope {
            kind: FrameKind::from_byte(cursor.u8("kind")?),
            group: GroupId::new(cursor.u32("keyspace")?, cursor.u32("shard")?),
            config_epoch: ConfigEpoch(cursor.u64("config epoch")?),
        };
        let head_len = usize::from(cursor.u16("head length")?);
        let extensions_len = usize::from(cursor.u16("extensions length")?);
        if cursor.rest().len() < head_len + extensions_len {
            return Err(DecodeError::Truncated { field: "head" }.into());
        }
        let _fixed = bytes.split_to(FIXED_LEN);
        let head = bytes.split_to(head_len);
        let extensions = Extensions::decode(bytes.split_to(extensions_len), known)?;
        Ok(Self {
            envelope,
            head,
            extensions,
            body: bytes,
        })
    }
}

/// Appends everything of a frame but its body.
pub(crate) fn put_front(
    out: &mut BytesMut,
    envelope: &Envelope,
    (head, extensions): (&[u8], &Extensions),
    body_len: usize,
    max: usize,
) -> Result<(), WireError> {
    let extensions = extensions.as_bytes();
    let parts = head.len() + extensions.len() + body_len;
    if parts > max {
        return Err(too_long("frame", parts, max));
    }
    let head_len =
        u16::try_from(head.len()).map_err(|_| too_long("head", head.len(), u16::MAX.into()))?;
    let extensions_len = u16::try_from(extensions.len())
        .map_err(|_| too_long("extensions", extensions.len(), u16::MAX.into()))?;
    let len = u32::try_from(FIXED_LEN + parts).map_err(|_| too_long("frame", parts, max))?;
    out.put_u32_le(len);
    out.put_u8(WIRE_VERSION);
    out.put_u8(envelope.kind.to_byte());
    out.put_u32_le(envelope.group.keyspace.0);
    out.put_u32_le(envelope.group.shard.0);
    out.put_u64_le(envelope.config_epoch.0);
    out.put_u16_le(head_len);
    out.put_u16_le(extensions_len);
    out.put_slice(head);
    out.put_slice(extensions);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use repertoire_core::{ConfigEpoch, GroupId};

    use super::{Envelope, Frame, LENGTH_LEN};
    use crate::{Extensions, FrameKind, WireError};

    fn sample() -> Frame {
        Frame {
            envelope: Envelope {
                kind: FrameKind::Peer,
                group: GroupId::new(3, 4),
                config_epoch: ConfigEpoch(5),
            },
            head: Bytes::from_static(b"head"),
            extensions: Extensions::new(&[(1, false, b"x")]).unwrap(),
            body: Bytes::from_static(b"body"),
        }
    }

    fn joined(frame: &Frame) -> Bytes {
        let (front, body) = frame.encode(1000).unwrap();
        [&front[LENGTH_LEN..], &body[..]].concat().into()
    }

    #[test]
    fn a_frame_survives_the_round_trip_without_a_copy_of_its_body() {
        let frame = sample();
        let (_, body) = frame.encode(1000).unwrap();
        assert_eq!(body.as_ptr(), frame.body.as_ptr());
        let bytes = joined(&frame);
        let read = Frame::decode(bytes.clone(), &[]).unwrap();
        assert_eq!(read, frame);
        assert!(bytes.as_ptr_range().contains(&read.body.as_ptr()));
    }

    #[test]
    fn a_frame_above_its_cap_is_not_sent() {
        assert!(sample().encode(13).is_err());
        assert!(sample().encode(14).is_ok());
    }

    #[test]
    fn every_cut_is_refused_or_shortens_the_body() {
        let bytes = joined(&sample());
        for end in 0..bytes.len() - 4 {
            assert!(
                Frame::decode(bytes.slice(..end), &[]).is_err(),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn another_layout_is_refused() {
        let mut bytes = joined(&sample()).to_vec();
        bytes[0] = 2;
        assert_eq!(
            Frame::decode(bytes.into(), &[]),
            Err(WireError::UnsupportedVersion { version: 2 })
        );
    }
}
