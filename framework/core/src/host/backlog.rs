//! How far the engine is behind.

use std::collections::VecDeque;

use crate::{Entry, Lsn};

/// Entries that the engine was handed and has not applied: where each ends, and its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    entries: VecDeque<(Lsn, usize)>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn handed(&mut self, entry: &Entry) {
        let bytes = entry.encoded_len();
        self.entries.push_back((entry.last_lsn(), bytes));
        self.bytes += bytes;
    }

    pub(super) fn applied(&mut self, upto: Lsn) {
        while let Some((_, bytes)) = self.entries.pop_front_if(|(last, _)| *last <= upto) {
            self.bytes -= bytes;
        }
    }

    /// The engine was replaced by one that holds everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
