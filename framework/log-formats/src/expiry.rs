//! Expiry: which keys are due, and how their removal is logged.
//!
//! A cell with an expiry also has an index row in the replicated space, whose key is
//! `expires_at` (8 bytes, big-endian) followed by the key, and whose value is empty. A scan from
//! the first index row up to [`index_end`] finds what is due, in order. Overwriting or deleting a
//! key leaves its old index row behind; that is harmless, for removing a key checks that the cell
//! found still has that expiry.
//!
//! Index rows begin with two zero bytes, and no other row of the replicated space may. An expiry so
//! far away that it has no such bytes (2^48 ms: the year 10889) gets no index row: without this
//! rule a client could choose an expiry whose index row overwrites another replicated row.
//!
//! The pipeline logs due keys as `Call { function: EXPIRE_FUNCTION, args }`, with `args` made by
//! [`expire_args`]. Formats that ship rows recognise that call in `capture` and `capture_blind`.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::KEY_MAX;
use repertoire_core::{DecodeError, Wall, put_blob};

pub use repertoire_core::EXPIRE_FUNCTION;

/// Most expiries that belong into one call. Replay looks each key up among the earlier changes of
/// the batch, one by one: with an entry's 16 k changes, 256 keys cost a few milliseconds at worst.
pub const EXPIRE_MAX: usize = 256;

/// Expiries from here on are never due and have no index row.
const INDEXED_BEFORE: u64 = 1 << 48;

/// A key that is due if its cell still expires at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry<'a> {
    /// Milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// The key.
    pub key: &'a [u8],
}

impl<'a> Expiry<'a> {
    /// The index row's key, or `None` for an expiry that is too far away to have one.
    pub fn index_key(&self) -> Option<Vec<u8>> {
        (self.expires_at < INDEXED_BEFORE).then(|| {
            let mut row = Vec::with_capacity(8 + self.key.len());
            row.extend_from_slice(&self.expires_at.to_be_bytes());
            row.extend_from_slice(self.key);
            row
        })
    }

    /// Reads the key of an index row; `None` for a row of another kind.
    pub fn from_index_key(row: &'a [u8]) -> Option<Self> {
        let (at, key) = row.split_first_chunk()?;
        let expires_at = u64::from_be_bytes(*at);
        (expires_at < INDEXED_BEFORE).then_some(Self { expires_at, key })
    }
}

/// End of the index rows that are due at `now`: scan the replicated space over `[[], index_end)`.
pub fn index_end(now: Wall) -> [u8; 8] {
    now.0.saturating_add(1).min(INDEXED_BEFORE).to_be_bytes()
}

/// Arguments of an expiry call: `expires_at u64 | key blob`, repeated.
///
/// ```
/// use repertoire_core::Operation;
/// use repertoire_log_formats::expiry::{EXPIRE_FUNCTION, Expiry, expire_args};
/// let args = expire_args([Expiry { expires_at: 1000, key: b"session" }]);
/// let logged = Operation::Call { function: EXPIRE_FUNCTION, args: &args };
/// # let _ = logged;
/// ```
pub fn expire_args<'a>(expiries: impl IntoIterator<Item = Expiry<'a>>) -> Bytes {
    let mut args = BytesMut::new();
    for expiry in expiries {
        args.put_u64_le(expiry.expires_at);
        put_blob(&mut args, expiry.key);
    }
    args.freeze()
}

/// Reads the arguments of an expiry call. Ends after the first error.
pub fn expiries(args: &[u8]) -> impl Iterator<Item = Result<Expiry<'_>, DecodeError>> {
    let mut cursor = Cursor::new(args);
    let mut is_damaged = false;
    std::iter::from_fn(move || {
        if is_damaged || cursor.is_empty() {
            return None;
        }
        let expiry = expiry(&mut cursor);
        is_damaged = expiry.is_err();
        Some(expiry)
    })
}

fn expiry<'a>(cursor: &mut Cursor<'a>) -> Result<Expiry<'a>, DecodeError> {
    Ok(Expiry {
        expires_at: cursor.u64("expiry")?,
        key: cursor.blob(KEY_MAX, "key")?,
    })
}
