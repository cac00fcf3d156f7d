//! Fields that later versions add: (tag, flags, length, bytes), in ascending order of tag.
//!
//! A reader that does not know a tag keeps it when it passes the frame on and ignores it otherwise,
//! unless the critical bit says that ignoring it would be wrong. A missing extension is a missing
//! value; it is never the same as zero.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::DecodeError;
use repertoire_core::cursor::Cursor;

use crate::WireError;
use crate::error::too_long;

/// Most extensions of one frame.
pub const EXTENSIONS_MAX: usize = 16;

/// Most bytes of all extensions of one frame, their framing included.
pub const EXTENSIONS_BYTES_MAX: usize = 4 * 1024;

/// Bit 0: a reader that does not know the tag must refuse the frame.
const CRITICAL: u8 = 1;

/// The extensions of one frame, checked and still encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    raw: Bytes,
}

impl Extensions {
    /// No extensions.
    pub const NONE: Self = Self { raw: Bytes::new() };

    /// Builds a list. Tags must ascend.
    ///
    /// # Errors
    /// `Invalid` for tags out of order, `TooLong` above a cap.
    pub fn new(items: &[(u16, bool, &[u8])]) -> Result<Self, WireError> {
        let mut raw = BytesMut::new();
        for (tag, critical, bytes) in items {
            let len = u16::try_from(bytes.len())
                .map_err(|_| too_long("extension", bytes.len(), EXTENSIONS_BYTES_MAX))?;
            raw.put_u16_le(*tag);
            raw.put_u8(if *critical { CRITICAL } else { 0 });
            raw.put_u16_le(len);
            raw.put_slice(bytes);
        }
        let list = Self { raw: raw.freeze() };
        let known: Vec<u16> = items.iter().map(|(tag, _, _)| *tag).collect();
        list.check(&known)?;
        Ok(list)
    }

    /// Checks a list that came from the wire, by a reader that knows the tags `known`.
    ///
    /// # Errors
    /// `UnknownCritical`, or a decode error when the list is damaged or above a cap.
    pub fn decode(raw: Bytes, known: &[u16]) -> Result<Self, WireError> {
        let list = Self { raw };
        list.check(known)?;
        Ok(list)
    }

    /// The bytes under `tag`, if the sender set it.
    pub fn get(&self, tag: u16) -> Option<&[u8]> {
        self.iter()
            .find(|(t, _, _)| *t == tag)
            .map(|(_, _, bytes)| bytes)
    }

    /// All extensions: tag, whether critical, bytes.
    pub fn iter(&self) -> impl Iterator<Item = (u16, bool, &[u8])> {
        let mut cursor = Cursor::new(&self.raw);
        std::iter::from_fn(move || next(&mut cursor).ok().flatten())
    }

    /// The encoding.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.raw
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    fn check(&self, known: &[u16]) -> Result<(), WireError> {
        if self.raw.len() > EXTENSIONS_BYTES_MAX {
            return Err(too_long("extensions", self.raw.len(), EXTENSIONS_BYTES_MAX));
        }
        let mut cursor = Cursor::new(&self.raw);
        let mut last = None;
        let mut count = 0;
        while let Some((tag, critical, _)) = next(&mut cursor)? {
            count += 1;
            if count > EXTENSIONS_MAX {
                return Err(too_long("extensions", count, EXTENSIONS_MAX));
            }
            if last >= Some(tag) {
                return Err(DecodeError::Invalid {
                    field: "extension tag",
                    value: tag.into(),
                }
                .into());
            }
            last = Some(tag);
            if critical && !known.contains(&tag) {
                return Err(WireError::UnknownCritical { tag });
            }
        }
        Ok(())
    }
}

type Item<'a> = (u16, bool, &'a [u8]);

fn next<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Item<'a>>, DecodeError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let tag = cursor.u16("extension tag")?;
    let flags = cursor.u8("extension flags")?;
    let len = cursor.u16("extension length")?;
    let bytes = cursor.bytes(len.into(), "extension")?;
    Ok(Some((tag, flags & CRITICAL != 0, bytes)))
}

#[cfg(test)]
mod tests {
    use super::{EXTENSIONS_MAX, Extensions};
    use crate::WireError;

    #[test]
    fn unknown_optional_is_kept_and_unknown_critical_refused() {
        let optional = Extensions::new(&[(7, false, b"new")]).unwrap();
        let read = Extensions::decode(optional.as_bytes().clone(), &[]).unwrap();
        assert_eq!(read.get(7), Some(&b"new"[..]));
        assert_eq!(read, optional);
        let critical = Extensions::new(&[(7, true, b"new")]).unwrap();
        assert_eq!(
            Extensions::decode(critical.as_bytes().clone(), &[6]),
            Err(WireError::UnknownCritical { tag: 7 })
        );
        assert!(Extensions::decode(critical.as_bytes().clone(), &[7]).is_ok());
    }

    #[test]
    fn absent_is_not_zero() {
        let zero = Extensions::new(&[(1, false, &[0])]).unwrap();
        assert_eq!(zero.get(1), Some(&[0][..]));
        assert_eq!(Extensions::NONE.get(1), None);
    }

    #[test]
    fn order_and_caps_hold() {
        assert!(Extensions::new(&[(2, false, b""), (1, false, b"")]).is_err());
        assert!(Extensions::new(&[(2, false, b""), (2, false, b"")]).is_err());
        let many: Vec<(u16, bool, &[u8])> = (0..=u16::try_from(EXTENSIONS_MAX).unwrap())
            .map(|tag| (tag, false, &b""[..]))
            .collect();
        assert!(Extensions::new(&many).is_err());
        assert!(Extensions::new(&[(1, false, &[0; 5000])]).is_err());
    }
}
