//! The envelope of a stored value, one for all families.
//!
//! ```text
//! flags u8 | [expires_at u64] | [versions blob] | value
//! ```
//!
//! A plain single-leader value pays one byte. Families that version values (dots, dependencies)
//! put their bytes into `versions`, which the core never reads.

use bytes::{BufMut, BytesMut};

use crate::cursor::{Cursor, DecodeError};
use crate::limits::VALUE_MAX;
use crate::op::put_blob;

const EXPIRES: u8 = 1;
const VERSIONED: u8 = 2;

/// A stored value with its envelope, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Milliseconds since the Unix epoch after which the value counts as absent.
    pub expires_at: Option<u64>,
    /// What the protocol or resolver keeps beside the value.
    pub versions: Option<&'a [u8]>,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Cell<'a> {
    /// A plain value.
    pub const fn plain(value: &'a [u8]) -> Self {
        Self {
            expires_at: None,
            versions: None,
            value,
        }
    }

    /// Reads a cell that fills `bytes`.
    ///
    /// # Errors
    /// When the envelope is damaged or holds unknown flags.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let flags = cursor.u8("cell flags")?;
        if flags & !(EXPIRES | VERSIONED) != 0 {
            return Err(DecodeError::Invalid {
                field: "cell flags",
                value: flags.into(),
            });
        }
        let expires_at = if flags & EXPIRES != 0 {
            Some(cursor.u64("cell expiry")?)
        } else {
            None
        };
        let versions = if flags & VERSIONED != 0 {
            Some(cursor.blob(VALUE_MAX, "cell versions")?)
        } else {
            None
        };
        Ok(Self {
            expires_at,
            versions,
            value: cursor.rest(),
        })
    }

    /// Appends the encoding to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        let expires = if self.expires_at.is_some() {
            EXPIRES
        } else {
            0
        };
        let versioned = if self.versions.is_some() {
            VERSIONED
        } else {
            0
        };
        out.put_u8(expires | versioned);
        if let Some(at) = self.expires_at {
            out.put_u64_le(at);
        }
        if let Some(versions) = self.versions {
            put_blob(out, versions);
        }
        out.put_slice(self.value);
    }

    /// Length of the encoding, in bytes.
    pub fn encoded_len(&self) -> usize {
        let expiry = if self.expires_at.is_some() { 8 } else { 0 };
        1 + expiry + self.versions.map_or(0, |v| v.len() + 4) + self.value.len()
    }

    /// Whether the value counts as absent at `wall` milliseconds since the Unix epoch.
    pub fn is_expired_at(&self, wall: crate::Wall) -> bool {
        self.expires_at.is_some_and(|at| at <= wall.0)
    }
}
