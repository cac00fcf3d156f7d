//! Messages between the replicas of a group.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cursor::DecodeError;

/// Which stream a message takes, so that heartbeats never queue behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Small and urgent: heartbeats, votes, acknowledgements.
    Control = 0,
    /// The flow of entries.
    Replication = 1,
    /// Snapshots and other bulk.
    Bulk = 2,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Control, Self::Replication, Self::Bulk];

    /// The class of that number.
    ///
    /// # Errors
    /// `Invalid` for numbers that are no class.
    pub fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            0 => Ok(Self::Control),
            1 => Ok(Self::Replication),
            2 => Ok(Self::Bulk),
            other => Err(DecodeError::Invalid {
                field: "class",
                value: other.into(),
            }),
        }
    }
}

/// A message with a small head, written by postcard, and a bulk body that moves untouched.
///
/// Heads are flat: no maps, no recursion, no zero-sized elements, bounded vectors. Enums are
/// append-only, and a missing value is never the same as zero.
pub trait WireMessage: Sized + Clone + Send + std::fmt::Debug + 'static {
    /// The part that postcard writes.
    type Head: Serialize + DeserializeOwned;

    /// Splits the message; the body may be empty.
    fn into_parts(self) -> (Self::Head, Bytes);

    /// Puts a message together.
    ///
    /// # Errors
    /// When head and body do not fit.
    fn from_parts(head: Self::Head, body: Bytes) -> Result<Self, DecodeError>;

    /// Which stream it takes.
    fn class(&self) -> Class;

    /// Encodes the message.
    fn encode(self) -> Encoded {
        let class = self.class();
        let (head, body) = self.into_parts();
        // Serialising a flat head into a growing vector has no failure path.
        let head = postcard::to_stdvec(&head).unwrap_or_default();
        Encoded {
            class,
            head: head.into(),
            body,
        }
    }

    /// Decodes a message.
    ///
    /// # Errors
    /// When the head is damaged, has bytes left over, or does not fit the body.
    fn decode(encoded: Encoded) -> Result<Self, DecodeError> {
        let (head, rest) =
            postcard::take_from_bytes(&encoded.head).map_err(|_| DecodeError::Head)?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing { extra: rest.len() });
        }
        Self::from_parts(head, encoded.body)
    }
}

/// A message as bytes: what an erased protocol and the wire see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Which stream it takes.
    pub class: Class,
    /// The postcard head.
    pub head: Bytes,
    /// The body, untouched.
    pub body: Bytes,
}

impl Encoded {
    /// Bytes of head and body.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether there is neither head nor body.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
