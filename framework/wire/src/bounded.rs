//! Wire collections with a cap in their type.
//!
//! serde's own `Vec` believes a declared length up to a megabyte and multiplies it by the size of
//! an element; postcard accepts zero-sized elements without end. These types refuse the element
//! after the last allowed one, reserve little before elements arrive, and do not compile for
//! elements that are empty or large.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Elements larger than this would multiply a short input into a long allocation.
const ELEMENT_BYTES_MAX: usize = 64;

/// Bytes reserved on the word of a length alone.
const RESERVE_BYTES: usize = 1024;

/// At most `N` elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundedVec<T, const N: usize>(Vec<T>);

impl<T, const N: usize> Default for BoundedVec<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const N: usize> BoundedVec<T, N> {
    const ELEMENT_FITS: () = assert!(
        size_of::<T>() > 0 && size_of::<T>() <= ELEMENT_BYTES_MAX,
        "wire elements are 1 to 64 bytes large"
    );

    /// Takes `items` when there are at most `N`; gives them back otherwise.
    ///
    /// # Errors
    /// The items themselves when there are too many.
    pub fn new(items: Vec<T>) -> Result<Self, Vec<T>> {
        let () = Self::ELEMENT_FITS;
        if items.len() <= N {
            Ok(Self(items))
        } else {
            Err(items)
        }
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The elements, owned.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T: Serialize, const N: usize> Serialize for BoundedVec<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for BoundedVec<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let () = Self::ELEMENT_FITS;
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

struct Elements<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Elements<T, N> {
    type Value = BoundedVec<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let hint = seq.size_hint().unwrap_or(0);
        if hint > N {
            return Err(A::Error::invalid_length(hint, &self));
        }
        let mut items = Vec::with_capacity(hint.min(RESERVE_BYTES / size_of::<T>()));
        while let Some(item) = seq.next_element()? {
            if items.len() == N {
                return Err(A::Error::invalid_length(N + 1, &self));
            }
            items.push(item);
        }
        Ok(BoundedVec(items))
    }
}

/// At most `N` bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BoundedBytes<const N: usize>(Vec<u8>);

impl<const N: usize> BoundedBytes<N> {
    /// Takes `bytes` when there are at most `N`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= N).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> Serialize for BoundedBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for BoundedBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_bytes(Borrowed::<N>)
            .map(|bytes| Self(bytes.to_vec()))
    }
}

/// At most `N` bytes of UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedStr<const N: usize>(String);

impl<const N: usize> BoundedStr<N> {
    /// Takes `text` when it is at most `N` bytes long.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= N).then(|| Self(text.to_owned()))
    }

    /// Takes as much of `text` as fits, whole characters only.
    pub fn truncated(text: &str) -> Self {
        let end = text.floor_char_boundary(N);
        Self(text.get(..end).unwrap_or_default().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> fmt::Display for BoundedStr<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const N: usize> Serialize for BoundedStr<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for BoundedStr<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Text and bytes are framed alike; the check for UTF-8 comes after the one for length.
        let bytes = deserializer.deserialize_bytes(Borrowed::<N>)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(text.to_owned())),
            Err(_) => Err(D::Error::custom("the text is not UTF-8")),
        }
    }
}

struct Borrowed<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Borrowed<N> {
    type Value = &'de [u8];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} bytes")
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        if bytes.len() > N {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundedBytes, BoundedStr, BoundedVec};

    #[test]
    fn the_element_after_the_last_is_refused() {
        let four = postcard::to_stdvec(&vec![1_u64, 2, 3, 4]).unwrap();
        assert!(postcard::from_bytes::<BoundedVec<u64, 4>>(&four).is_ok());
        assert!(postcard::from_bytes::<BoundedVec<u64, 3>>(&four).is_err());
        assert!(BoundedVec::<u64, 3>::new(vec![1, 2, 3, 4]).is_err());
    }

    #[test]
    fn bytes_and_text_have_caps() {
        let word = postcard::to_stdvec("abcd").unwrap();
        assert!(postcard::from_bytes::<BoundedStr<4>>(&word).is_ok());
        assert!(postcard::from_bytes::<BoundedStr<3>>(&word).is_err());
        assert!(postcard::from_bytes::<BoundedBytes<3>>(&word).is_err());
        assert_eq!(BoundedStr::<3>::truncated("aé€").as_str(), "aé");
    }

    #[test]
    fn declared_lengths_are_not_believed() {
        // A length of 2^63 and nothing behind it.
        let bomb = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        assert!(postcard::from_bytes::<BoundedVec<u64, 1000>>(&bomb).is_err());
        assert!(postcard::from_bytes::<BoundedBytes<1000>>(&bomb).is_err());
    }
}
