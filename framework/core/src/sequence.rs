//! Ids that are never given twice, also when a failover takes back who got them.
//!
//! A counter in a keyspace counts again what a failover discarded: the new leader has an older count, and
//! gives out numbers that somebody holds already. So an id is a number *and* the leadership that gave
//! it. Within one leadership there is one history, in which the counter only grows; another leadership
//! has another epoch.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{EntryId, Error, ErrorKind, LeaderEpoch, Operation};

/// Bits of the number in [`SequenceId::to_u64`].
const NUMBER_BITS: u32 = 40;
/// Bits of the epoch there: the result fits a signed integer, too.
const EPOCH_BITS: u32 = 23;

/// An id that no one else gets from the same key: a number with the epoch of the leadership that gave it.
///
/// Later ids are greater, unless two clients use up their blocks side by side. The guarantee needs
/// `durability = "disk"`: a leader that forgets its epoch in a power cut may lead in it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SequenceId {
    /// The leadership that gave it.
    pub epoch: LeaderEpoch,
    /// The number, which alone may be given again after a failover.
    pub number: u64,
}

impl SequenceId {
    /// For keys of other systems: the epoch in the upper bits and the number in the lower 40, positive as
    /// a signed integer and in the same order. `None` from epoch 2²³ or number 2⁴⁰ on.
    ///
    /// ```
    /// use repertoire_core::{LeaderEpoch, SequenceId};
    ///
    /// let id = SequenceId { epoch: LeaderEpoch(2), number: 41 };
    /// assert_eq!(id.to_u64().map(SequenceId::from_u64), Some(id));
    /// ```
    pub const fn to_u64(self) -> Option<u64> {
        if self.epoch.0 >> EPOCH_BITS == 0 && self.number >> NUMBER_BITS == 0 {
            Some(self.epoch.0 << NUMBER_BITS | self.number)
        } else {
            None
        }
    }

    /// The id that [`to_u64`](Self::to_u64) made `packed` of.
    pub const fn from_u64(packed: u64) -> Self {
        Self {
            epoch: LeaderEpoch(packed >> NUMBER_BITS),
            number: packed & ((1 << NUMBER_BITS) - 1),
        }
    }
}

/// `number@epoch`, as positions are shown.
impl fmt::Display for SequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.number, self.epoch.0)
    }
}

/// A block of numbers that is yet to be reserved: a compare-and-set that moves the counter on.
///
/// The counter is a key of its own; its value is the next free number, in decimal digits.
///
/// # Contract
/// Nothing else writes that key, and it is never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    found: Option<Vec<u8>>,
    moved: Vec<u8>,
    from: u64,
    until: u64,
}

impl Reservation {
    /// To reserve `count` numbers after what a read of the counter found; the first number is 1.
    ///
    /// # Errors
    /// `Malformed` when the key holds something else; `Unsupported` when no numbers are left.
    pub fn after(found: Option<&[u8]>, count: NonZeroU32) -> Result<Self, Error> {
        let from = match found {
            None => 1,
            Some(text) => number_of(text)?,
        };
        let until = from.checked_add(count.get().into()).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "reserve ids").with("detail", "no numbers are left")
        })?;
        Ok(Self {
            found: found.map(<[u8]>::to_vec),
            moved: until.to_string().into_bytes(),
            from,
            until,
        })
    }

    /// The write that reserves it: `Conflict` when somebody else was faster; read again then.
    pub fn operation<'a>(&'a self, key: &'a [u8]) -> Operation<'a> {
        Operation::CompareAndSet {
            key,
            expected: self.found.as_deref(),
            new: Some(&self.moved),
        }
    }

    /// The write was acknowledged at `at`, with whatever number of copies: the block is the caller's.
    pub fn granted(self, at: EntryId) -> SequenceBlock {
        SequenceBlock {
            epoch: at.epoch,
            next: self.from,
            until: self.until,
        }
    }
}

/// Ids that were reserved and not given out yet, as an iterator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceBlock {
    epoch: LeaderEpoch,
    next: u64,
    until: u64,
}

impl Iterator for SequenceBlock {
    type Item = SequenceId;

    fn next(&mut self) -> Option<SequenceId> {
        let number = self.next;
        if number >= self.until {
            return None;
        }
        self.next += 1;
        let epoch = self.epoch;
        Some(SequenceId { epoch, number })
    }
}

fn number_of(text: &[u8]) -> Result<u64, Error> {
    let digits = std::str::from_utf8(text).ok();
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::new(ErrorKind::Malformed, "reserve ids")
            .with("detail", "the key holds no counter")
            .with("found", String::from_utf8_lossy(text))
    })
}
