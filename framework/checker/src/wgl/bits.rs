//! The set of calls that a search has put in order so far.

/// A set of small numbers.
#[derive(Clone, Debug)]
pub(super) struct Bits {
    words: Vec<u64>,
}

/// A [`Bits`] as a short key: how many leading words are full, then the words up to the last one
/// that is not empty. Calls are numbered by invocation, so few words remain between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    full_words: usize,
    rest: Box<[u64]>,
}

/// The word and the mask of number `index`.
fn place(index: usize) -> (usize, u64) {
    (index / 64, 1 << (index % 64))
}

impl Bits {
    /// An empty set with room for numbers below `len`.
    pub(super) fn new(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
        }
    }

    pub(super) fn insert(&mut self, index: usize) {
        let (word, mask) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word |= mask;
        }
    }

    pub(super) fn remove(&mut self, index: usize) {
        let (word, mask) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !mask;
        }
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        let (word, mask) = place(index);
        self.words.get(word).is_some_and(|word| word & mask != 0)
    }

    /// A number below which everything is in the set.
    pub(super) fn full_below(&self) -> usize {
        self.full_words() * 64
    }

    fn full_words(&self) -> usize {
        self.words
            .iter()
            .take_while(|word| **word == u64::MAX)
            .count()
    }

    pub(super) fn mark(&self) -> Mark {
        let full_words = self.full_words();
        let used = self
            .words
            .iter()
            .rposition(|word| *word != 0)
            .map_or(0, |last| last + 1);
        Mark {
            full_words,
            rest: self.words.get(full_words..used).unwrap_or_default().into(),
        }
    }
}
