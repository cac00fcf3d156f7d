//! Operations: what a client asks to be done, encoded once and visited in place.
//!
//! Layout of an encoded operation, little-endian (`blob` is a `u32` length and bytes):
//!
//! ```text
//! put         1 | flags u8 (1 = expires) | [expires_at u64] | key blob | value blob
//! delete      2 | key blob
//! cas         3 | flags u8 (1 = expected present, 2 = new present) | key | [expected] | [new]
//! call        4 | function blob | args blob
//! batch       5 | count u32 | (operation blob) * count        puts and deletes only
//! transaction 6 | guards u32 | (key, flags u8, [value]) * guards | count u32 | (operation blob) *
//!               count | returning u32 | (key blob) * returning
//! merge       7 | key blob | delta blob
//! statement   8 | text blob | params blob
//! ```

mod keys;

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, DecodeError, len_u32};
use crate::limits::{BATCH_MAX, KEY_MAX, VALUE_MAX};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const CAS: u8 = 3;
const CALL: u8 = 4;
const BATCH: u8 = 5;
const TRANSACTION: u8 = 6;
const MERGE: u8 = 7;
const STATEMENT: u8 = 8;

/// A precondition of a transaction: `key` must hold exactly this value (`None`: must be absent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What it must hold.
    pub expected: Option<&'a [u8]>,
}

/// An operation, borrowed from its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Set a key.
    Put {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
        /// Milliseconds since the Unix epoch after which the key is gone; judged by the time in the
        /// log entry and carried out by a logged delete.
        expires_at: Option<u64>,
    },
    /// Remove a key. Removing an absent key is not an error.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// Replace a value if it is the expected one; `Conflict` otherwise.
    CompareAndSet {
        /// The key.
        key: &'a [u8],
        /// What it must hold; `None`: it must be absent.
        expected: Option<&'a [u8]>,
        /// What it then holds; `None`: it is deleted.
        new: Option<&'a [u8]>,
    },
    /// Run a registered function at the leader.
    Call {
        /// The function's registered name.
        function: &'a str,
        /// Its arguments, in its own encoding.
        args: &'a [u8],
    },
    /// Several puts and deletes, all or none.
    Batch(Vec<Operation<'a>>),
    /// Several operations, all or none, if every guard holds; returns the values of `returning`.
    Transaction {
        /// Preconditions.
        guards: Vec<Guard<'a>>,
        /// What to do: puts, deletes, compare-and-sets and calls.
        ops: Vec<Operation<'a>>,
        /// Keys whose values, after the operations, are returned.
        returning: Vec<&'a [u8]>,
    },
    /// Merge a delta into a mergeable value (CRDT keyspaces).
    Merge {
        /// The key.
        key: &'a [u8],
        /// The delta, in the resolver's encoding.
        delta: &'a [u8],
    },
    /// A statement of the engine's language.
    Statement {
        /// The text.
        text: &'a str,
        /// Encoded parameters.
        params: &'a [u8],
    },
}

impl<'a> Operation<'a> {
    /// Reads an operation that fills `bytes` exactly.
    ///
    /// # Errors
    /// When the bytes are no operation, or a part is above its cap.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_nested(bytes, 0)
    }

    fn decode_nested(bytes: &'a [u8], depth: u8) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let op = match cursor.u8("operation")? {
            PUT => Self::decode_put(&mut cursor)?,
            DELETE => Self::Delete {
                key: key(&mut cursor)?,
            },
            CAS => {
                let flags = flags(&mut cursor, 3)?;
                let key = key(&mut cursor)?;
                let expected = optional(&mut cursor, flags & 1 != 0)?;
                Self::CompareAndSet {
                    key,
                    expected,
                    new: optional(&mut cursor, flags & 2 != 0)?,
                }
            }
            CALL => Self::Call {
                function: text(cursor.blob(KEY_MAX, "function")?)?,
                args: cursor.blob(VALUE_MAX, "arguments")?,
            },
            BATCH if depth == 0 => Self::Batch(operations(&mut cursor, depth)?),
            TRANSACTION if depth == 0 => Self::decode_transaction(&mut cursor, depth)?,
            MERGE => Self::Merge {
                key: key(&mut cursor)?,
                delta: cursor.blob(VALUE_MAX, "delta")?,
            },
            STATEMENT => Self::Statement {
                text: text(cursor.blob(VALUE_MAX, "statement")?)?,
                params: cursor.blob(VALUE_MAX, "parameters")?,
            },
            other => {
                return Err(DecodeError::Invalid {
                    field: "operation",
                    value: other.into(),
                });
            }
        };
        cursor.finish()?;
        Ok(op)
    }

    fn decode_put(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let expires = flags(cursor, 1)? != 0;
        let expires_at = if expires {
            Some(cursor.u64("expiry")?)
        } else {
            None
        };
        Ok(Self::Put {
            key: key(cursor)?,
            value: cursor.blob(VALUE_MAX, "value")?,
            expires_at,
        })
    }

    fn decode_transaction(cursor: &mut Cursor<'a>, depth: u8) -> Result<Self, DecodeError> {
        let mut guards = Vec::new();
        for _ in 0..count(cursor, "guards")? {
            let key = key(cursor)?;
            let present = flags(cursor, 1)? != 0;
            guards.push(Guard {
                key,
                expected: optional(cursor, present)?,
            });
        }
        let ops = operations(cursor, depth)?;
        let mut returning = Vec::new();
        for _ in 0..count(cursor, "returning")? {
            returning.push(key(cursor)?);
        }
        Ok(Self::Transaction {
            guards,
            ops,
            returning,
        })
    }

    /// Appends the encoding to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        match self {
            Self::Put {
                key,
                value,
                expires_at,
            } => {
                out.put_u8(PUT);
                out.put_u8(u8::from(expires_at.is_some()));
                if let Some(at) = expires_at {
                    out.put_u64_le(*at);
                }
                put_blob(out, key);
                put_blob(out, value);
            }
            Self::Delete { key } => {
                out.put_u8(DELETE);
                put_blob(out, key);
            }
            Self::CompareAndSet { key, expected, new } => {
                out.put_u8(CAS);
                out.put_u8(u8::from(expected.is_some()) | u8::from(new.is_some()) << 1);
                put_blob(out, key);
                expected
                    .iter()
                    .chain(new)
                    .for_each(|value| put_blob(out, value));
            }
            Self::Call { function, args } => {
                out.put_u8(CALL);
                put_blob(out, function.as_bytes());
                put_blob(out, args);
            }
            Self::Batch(ops) => {
                out.put_u8(BATCH);
                put_operations(out, ops);
            }
            Self::Transaction {
                guards,
                ops,
                returning,
            } => {
                out.put_u8(TRANSACTION);
                put_transaction(out, guards, ops, returning);
            }
            Self::Merge { key, delta } => {
                out.put_u8(MERGE);
                put_blob(out, key);
                put_blob(out, delta);
            }
            Self::Statement { text, params } => {
                out.put_u8(STATEMENT);
                put_blob(out, text.as_bytes());
                put_blob(out, params);
            }
        }
    }

    /// The encoding.
    ///
    /// ```
    /// use repertoire_core::Operation;
    /// let put = Operation::Put { key: b"k", value: b"v", expires_at: None };
    /// assert_eq!(Operation::decode(&put.encode()), Ok(put.clone()));
    /// ```
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out.freeze()
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Put {
                key,
                value,
                expires_at,
            } => 1 + expires_at.map_or(0, |_| 8) + blob_len(key) + blob_len(value),
            Self::Delete { key } => blob_len(key),
            Self::CompareAndSet { key, expected, new } => {
                1 + blob_len(key) + optional_len(*expected) + optional_len(*new)
            }
            Self::Call { function, args } => blob_len(function.as_bytes()) + blob_len(args),
            Self::Batch(ops) => operations_len(ops),
            Self::Transaction {
                guards,
                ops,
                returning,
            } => {
                let guard =
                    |guard: &Guard<'_>| blob_len(guard.key) + 1 + optional_len(guard.expected);
                let guards: usize = guards.iter().map(guard).sum();
                let returning: usize = returning.iter().map(|key| blob_len(key)).sum();
                4 + guards + operations_len(ops) + 4 + returning
            }
            Self::Merge { key, delta } => blob_len(key) + blob_len(delta),
            Self::Statement { text, params } => blob_len(text.as_bytes()) + blob_len(params),
        }
    }
}

/// What [`put_blob`] appends.
const fn blob_len(bytes: &[u8]) -> usize {
    4 + bytes.len()
}

fn optional_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(0, blob_len)
}

fn operations_len(ops: &[Operation<'_>]) -> usize {
    4 + ops.iter().map(|op| 4 + op.encoded_len()).sum::<usize>()
}

/// Appends `bytes` with its length in front.
pub fn put_blob(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32_le(len_u32(bytes));
    out.put_slice(bytes);
}

fn put_operations(out: &mut BytesMut, ops: &[Operation<'_>]) {
    out.put_u32_le(u32::try_from(ops.len()).unwrap_or(u32::MAX));
    for op in ops {
        out.put_u32_le(u32::try_from(op.encoded_len()).unwrap_or(u32::MAX));
        op.encode_into(out);
    }
}

fn put_transaction(
    out: &mut BytesMut,
    guards: &[Guard<'_>],
    ops: &[Operation<'_>],
    returning: &[&[u8]],
) {
    out.put_u32_le(u32::try_from(guards.len()).unwrap_or(u32::MAX));
    for guard in guards {
        put_blob(out, guard.key);
        out.put_u8(u8::from(guard.expected.is_some()));
        guard.expected.iter().for_each(|value| put_blob(out, value));
    }
    put_operations(out, ops);
    out.put_u32_le(u32::try_from(returning.len()).unwrap_or(u32::MAX));
    for key in returning {
        put_blob(out, key);
    }
}

fn operations<'a>(cursor: &mut Cursor<'a>, depth: u8) -> Result<Vec<Operation<'a>>, DecodeError> {
    let mut ops = Vec::new();
    for _ in 0..count(cursor, "operations")? {
        let bytes = cursor.blob(KEY_MAX + 2 * VALUE_MAX, "operation")?;
        ops.push(Operation::decode_nested(bytes, depth + 1)?);
    }
    Ok(ops)
}

fn count(cursor: &mut Cursor<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let count = cursor.u32(field)?;
    if count > BATCH_MAX {
        return Err(DecodeError::TooLong {
            field,
            len: count.into(),
            max: BATCH_MAX.into(),
        });
    }
    Ok(count)
}

fn key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], DecodeError> {
    cursor.blob(KEY_MAX, "key")
}

fn optional<'a>(cursor: &mut Cursor<'a>, present: bool) -> Result<Option<&'a [u8]>, DecodeError> {
    if present {
        cursor.blob(VALUE_MAX, "value").map(Some)
    } else {
        Ok(None)
    }
}

fn flags(cursor: &mut Cursor<'_>, mask: u8) -> Result<u8, DecodeError> {
    let flags = cursor.u8("flags")?;
    if flags & !mask != 0 {
        return Err(DecodeError::Invalid {
            field: "flags",
            value: flags.into(),
        });
    }
    Ok(flags)
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid {
        field: "text",
        value: 0,
    })
}
