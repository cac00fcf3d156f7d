//! Whether a disk is the continuation of the one that was met before.
//!
//! A data folder that was restored from a copy has forgotten votes and acknowledgements that others
//! count on; one that was copied and runs twice is worse. Neither can tell by itself. So every start
//! of a node draws a mark, keeps the last ones, and shows them to its peers. A peer remembers the
//! newest mark that it has seen: a disk that does not contain it where it was is another one.

use serde::{Deserialize, Serialize};

/// Marks that a disk keeps. A peer that was away for more starts than that cannot tell any more.
pub const MARKS_MAX: usize = 64;

/// The starts of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Starts so far, the present one included.
    boot: u64,
    /// Random marks of the last starts, the present one last; at most [`MARKS_MAX`].
    marks: Vec<u64>,
}

/// What a peer remembers of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The newest start that it has met.
    pub boot: u64,
    /// The mark of that start.
    pub mark: u64,
}

/// How a disk is not the continuation of what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It has had fewer starts: it was restored from a copy.
    GoneBack,
    /// That start of it was another one: there are two of it.
    Forked,
}

impl Lineage {
    /// Starts once more.
    pub fn begin(&mut self, mark: u64) {
        self.boot = self.boot.saturating_add(1);
        self.marks.push(mark);
        let surplus = self.marks.len().saturating_sub(MARKS_MAX);
        self.marks.drain(..surplus);
    }

    /// The present start; `None` for a disk that keeps no account.
    pub fn now(&self) -> Option<Seen> {
        let (boot, mark) = (self.boot, *self.marks.last()?);
        Some(Seen { boot, mark })
    }

    /// Compares with what a peer remembers.
    ///
    /// # Errors
    /// How this is not the same disk.
    ///
    /// ```
    /// use repertoire_core::{Break, Lineage};
    /// let mut disk = Lineage::default();
    /// disk.begin(7);
    /// let copy = disk.clone();
    /// disk.begin(8);
    /// let seen = disk.now().expect("it was started");
    /// assert!(disk.continues(seen).is_ok());
    /// assert_eq!(copy.continues(seen), Err(Break::GoneBack));
    /// ```
    // ANCHOR: continues
    pub fn continues(&self, seen: Seen) -> Result<(), Break> {
        let Some(since) = self.boot.checked_sub(seen.boot) else {
            return Err(Break::GoneBack);
        };
        let since = usize::try_from(since).unwrap_or(usize::MAX);
        let known = self.marks.iter().rev().nth(since);
        match known {
            Some(mark) if *mark != seen.mark => Err(Break::Forked),
            Some(_) | None => Ok(()),
        }
    }
    // ANCHOR_END: continues

    /// `boot u64 | mark u64 …`, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let marks = self.marks.iter().map(|mark| mark.to_le_bytes());
        let numbers = std::iter::once(self.boot.to_le_bytes()).chain(marks);
        numbers.flatten().collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (boot, marks) = numbers.split_first()?;
        if !rest.is_empty() || marks.len() > MARKS_MAX {
            return None;
        }
        Some(Self {
            boot: u64::from_le_bytes(*boot),
            marks: marks.iter().map(|mark| u64::from_le_bytes(*mark)).collect(),
        })
    }
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GoneBack => "it was restored from a copy",
            Self::Forked => "it is a copy that was started apart from the disk that was met",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn started(marks: impl IntoIterator<Item = u64>) -> Lineage {
        let mut lineage = Lineage::default();
        marks.into_iter().for_each(|mark| lineage.begin(mark));
        lineage
    }

    #[test]
    fn a_copy_that_was_started_by_itself_has_forked() {
        let original = started([1, 2, 3]);
        let copy = started([1, 2, 9]);
        let seen = original.now().unwrap();
        assert_eq!(copy.continues(seen), Err(Break::Forked));
        let later = started([1, 2, 9, 10]);
        assert_eq!(later.continues(seen), Err(Break::Forked));
    }

    #[test]
    fn what_is_longer_ago_than_the_marks_reach_is_believed() {
        let old = started([7]).now().unwrap();
        assert!(started(1..=64).continues(old).is_err());
        assert!(started(1..=65).continues(old).is_ok());
    }

    proptest! {
        #[test]
        fn a_disk_continues_all_its_own_starts(marks in prop::collection::vec(any::<u64>(), 1..90)) {
            let whole = started(marks.iter().copied());
            for upto in 1..=marks.len() {
                let seen = started(marks.iter().copied().take(upto)).now().unwrap();
                prop_assert_eq!(whole.continues(seen), Ok(()));
            }
            prop_assert_eq!(Lineage::from_bytes(&whole.to_bytes()), Some(whole));
        }

        #[test]
        fn whatever_a_peer_shows_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = Lineage::from_bytes(&bytes);
        }
    }
}
