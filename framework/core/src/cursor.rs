//! Bounded reading of hand-framed bytes: little-endian integers and borrowed slices.
//!
//! Bulk bodies (operations, entries, snapshot records) are framed by hand because they are visited
//! in place, once per write and replica; message heads use postcard.

use thiserror::Error;

/// Bytes that are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a field.
    #[error("the input ends inside {field}")]
    Truncated {
        /// What was being read.
        field: &'static str,
    },
    /// A field holds a value outside its range.
    #[error("{field} holds the invalid value {value}")]
    Invalid {
        /// What was being read.
        field: &'static str,
        /// The offending value.
        value: u64,
    },
    /// A length is above its cap.
    #[error("{field} is {len} bytes or elements long; at most {max} are allowed")]
    TooLong {
        /// What was being read.
        field: &'static str,
        /// The declared length.
        len: u64,
        /// The cap.
        max: u64,
    },
    /// Bytes follow the last field.
    #[error("{extra} bytes follow the last field")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A postcard head does not decode.
    #[error("the head does not decode")]
    Head,
}

/// A position in borrowed bytes. Every read is checked; nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

macro_rules! integer {
    ($name:ident, $type:ty) => {
        /// Reads a little-endian integer.
        ///
        /// # Errors
        /// `Truncated` when the input ends first.
        pub fn $name(&mut self, field: &'static str) -> Result<$type, DecodeError> {
            let (head, rest) = self
                .rest
                .split_first_chunk()
                .ok_or(DecodeError::Truncated { field })?;
            self.rest = rest;
            Ok(<$type>::from_le_bytes(*head))
        }
    };
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    integer!(u8, u8);
    integer!(u16, u16);
    integer!(u32, u32);
    integer!(u64, u64);
    integer!(u128, u128);

    /// Borrows the next `len` bytes.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    pub fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(head)
    }

    /// Borrows a slice that is preceded by its length as `u32`, at most `max` bytes long.
    ///
    /// # Errors
    /// `TooLong` above the cap, `Truncated` when the bytes are not there.
    pub fn blob(&mut self, max: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.u32(field)?;
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        if wanted > max {
            return Err(DecodeError::TooLong {
                field,
                len: len.into(),
                max: max as u64,
            });
        }
        self.bytes(wanted, field)
    }

    /// Whether every byte was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Demands that every byte was read.
    ///
    /// # Errors
    /// `Trailing` when bytes are left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing {
                extra: self.rest.len(),
            })
        }
    }
}

/// Length of `bytes` as the `u32` that frames it.
///
/// # Panics
/// When `bytes` is 4 GiB or longer; admission caps every body far below.
pub fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or_else(|_| oversized(bytes.len()))
}

#[cold]
#[allow(
    clippy::panic,
    reason = "admission caps bodies far below 4 GiB; see the callers"
)]
fn oversized(len: usize) -> ! {
    panic!("{len} bytes cannot be framed")
}
