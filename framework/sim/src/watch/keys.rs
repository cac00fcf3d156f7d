//! The keys and values of the workload: each value names the write that made it.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::Cell;

/// What a key is used for. Kinds are kept apart, so that each checker gets whole keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum KeyKind {
    /// Puts, deletes, batches.
    Register = b'r',
    /// Puts and compare-and-sets.
    Swapped = b'x',
    /// Increments by a function.
    Counter = b'c',
    /// Puts that expire.
    Expiring = b't',
}

impl KeyKind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Register, Self::Swapped, Self::Counter, Self::Expiring];

    const fn place(self) -> usize {
        match self {
            Self::Register => 0,
            Self::Swapped => 1,
            Self::Counter => 2,
            Self::Expiring => 3,
        }
    }
}

/// A key of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyId {
    pub(crate) kind: KeyKind,
    pub(crate) number: u16,
}

impl KeyId {
    /// The key's bytes.
    pub(crate) const fn bytes(self) -> [u8; 3] {
        let [high, low] = self.number.to_be_bytes();
        [self.kind as u8, high, low]
    }

    /// The key of those bytes, if it is one of the workload's.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let [kind, high, low] = *bytes else {
            return None;
        };
        let kind = KeyKind::ALL
            .into_iter()
            .find(|known| *known as u8 == kind)?;
        let number = u16::from_be_bytes([high, low]);
        Some(Self { kind, number })
    }

    /// A dense number, given how many keys there are of each kind.
    pub(crate) const fn dense(self, keys: u16) -> usize {
        self.kind.place() * keys as usize + self.number as usize
    }
}

/// The name of a write: client, request, part of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) u128);

impl Stamp {
    pub(crate) const fn new(session: u64, seq: u64, part: u8) -> Self {
        Self(((session as u128) << 64) | ((seq as u128) << 8) | part as u128)
    }

    /// The value that carries it, padded.
    pub(crate) fn value(self, padding: usize) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + padding);
        out.put_u128_le(self.0);
        out.put_bytes(PADDING, padding);
        out.freeze()
    }
}

/// What follows the stamp in a value.
const PADDING: u8 = 0xab;

/// Compares whole blocks: values are read very often.
fn is_padding(bytes: &[u8]) -> bool {
    const BLOCK: [u8; 256] = [PADDING; 256];
    bytes
        .chunks(BLOCK.len())
        .all(|chunk| *chunk == BLOCK[..chunk.len()])
}

/// What a key holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    #[default]
    Absent,
    Written(Stamp),
    Number(i64),
    /// Bytes that no client wrote.
    Foreign(u64),
}

impl Content {
    /// Reads a value of `key`.
    pub(crate) fn of_value(key: KeyId, value: &[u8]) -> Self {
        let foreign = || Self::Foreign(xxhash_rust::xxh3::xxh3_64(value));
        if key.kind == KeyKind::Counter {
            return value.try_into().map_or_else(
                |_| foreign(),
                |bytes| Self::Number(i64::from_le_bytes(bytes)),
            );
        }
        let Some((stamp, padding)) = value.split_first_chunk::<16>() else {
            return foreign();
        };
        if is_padding(padding) {
            Self::Written(Stamp(u128::from_le_bytes(*stamp)))
        } else {
            foreign()
        }
    }

    /// Reads an encoded cell of `key`; also tells whether it expires.
    pub(crate) fn of_cell(key: KeyId, cell: Option<&[u8]>) -> (Self, bool) {
        let Some(bytes) = cell else {
            return (Self::Absent, false);
        };
        match Cell::decode(bytes) {
            Ok(cell) => (Self::of_value(key, cell.value), cell.expires_at.is_some()),
            Err(_) => (Self::Foreign(0), false),
        }
    }
}
