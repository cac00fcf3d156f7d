//! Keys as the engine keeps them: short ones inside the entry, long ones on the heap.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// Longest key that costs no allocation. With it an entry fills one cache line exactly.
pub(crate) const INLINE_MAX: usize = 24;

/// An owned key. Ordered as its bytes.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// Up to [`INLINE_MAX`] bytes.
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    /// More.
    Heap(Box<[u8]>),
}

impl Key {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut bytes = [0; INLINE_MAX];
        match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(key);
                Self::Inline { len, bytes }
            }
            _ => Self::Heap(key.into()),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }

    /// Bytes outside the entry.
    pub(crate) fn heap_len(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Heap(bytes) => bytes.len(),
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}
