//! The newest entries of the log, in memory: what must still be applied, and what followers that
//! are nearly up to date ask for. Older entries are read back from the log.

use std::collections::VecDeque;

use repertoire_core::{Entry, Lsn};

#[derive(Clone, Debug)]
struct Held {
    entry: Entry,
    /// Bytes of every entry pushed before this one.
    offset: u64,
}

/// Consecutive entries, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    entries: VecDeque<Held>,
    /// Bytes of every entry ever pushed, less what was truncated.
    end: u64,
    bytes_max: u64,
}

impl Window {
    /// An empty window that keeps about `bytes_max` of entries that are no longer needed.
    pub(crate) const fn new(bytes_max: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            end: 0,
            bytes_max,
        }
    }

    /// How many entries end before `lsn`. Nearly every question is about the newest entries, and the
    /// older ones are not in the processor's cache: so the search gallops from the end.
    fn ending_before(&self, lsn: Lsn) -> usize {
        let ends_before = |held: &Held| held.entry.last_lsn() < lsn;
        let (mut low, mut high, mut step) = (self.entries.len(), self.entries.len(), 1);
        while low > 0 {
            low = low.saturating_sub(step);
            if self.entries.get(low).is_some_and(ends_before) {
                break;
            }
            (high, step) = (low, step * 2);
        }
        // Entries before `low` end earlier still; those from `high` on do not.
        while low < high {
            let middle = low.midpoint(high);
            if self.entries.get(middle).is_some_and(ends_before) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Adds the next entry.
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(last) = self.entries.back() {
            let next = last.entry.last_lsn().next();
            assert_eq!(entry.first, next, "the window has no holes");
        }
        let offset = self.end;
        self.end += entry.encoded_len() as u64;
        self.entries.push_back(Held { entry, offset });
    }

    /// Drops entries after `last`.
    pub(crate) fn truncate(&mut self, last: Lsn) {
        let keep = self.ending_before(last.next());
        if let Some(first_dropped) = self.entries.get(keep) {
            self.end = first_dropped.offset;
        }
        self.entries.truncate(keep);
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Drops the oldest entries, among those up to `upto`, that are over the budget.
    pub(crate) fn evict(&mut self, upto: Lsn) {
        let over = |held: &mut Held, end: u64, max: u64| {
            end - held.offset > max && held.entry.last_lsn() <= upto
        };
        let (end, max) = (self.end, self.bytes_max);
        while self
            .entries
            .pop_front_if(|held| over(held, end, max))
            .is_some()
        {}
    }

    /// The entry that holds the record at `lsn`, and those after it; `None` when that record is not
    /// in memory.
    pub(crate) fn from(&self, lsn: Lsn) -> Option<impl Iterator<Item = &Entry>> {
        let index = self.ending_before(lsn);
        let holds = self
            .entries
            .get(index)
            .is_some_and(|held| held.entry.first <= lsn);
        holds.then(|| self.entries.range(index..).map(|held| &held.entry))
    }

    /// The last record of the entry that holds `lsn`.
    pub(crate) fn entry_end(&self, lsn: Lsn) -> Option<Lsn> {
        self.from(lsn)?.next().map(Entry::last_lsn)
    }

    /// Bytes of the entries in memory after `lsn`.
    pub(crate) fn bytes_after(&self, lsn: Lsn) -> u64 {
        let index = self.ending_before(lsn.next());
        self.entries
            .get(index)
            .map_or(0, |held| self.end - held.offset)
    }

    /// Bytes of the entries in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries
            .front()
            .map_or(0, |held| self.end - held.offset)
    }

    /// The first record in memory.
    pub(crate) fn first(&self) -> Option<Lsn> {
        self.entries.front().map(|held| held.entry.first)
    }

    /// Entries in memory.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn entry(first: u64, count: u32, len: usize) -> Entry {
        Entry {
            first: Lsn(first),
            count,
            body: Bytes::from(vec![0; len]),
            ..Entry::default()
        }
    }

    fn filled(counts: &[u32], bytes_max: u64) -> Window {
        let mut window = Window::new(bytes_max);
        let mut next = 1;
        for count in counts {
            window.push(entry(next, *count, 64));
            next += u64::from(*count);
        }
        window
    }

    #[test]
    fn a_record_is_found_inside_its_entry() {
        let window = filled(&[3, 1, 5], 1 << 20);
        let firsts = |lsn| -> Vec<u64> {
            window
                .from(Lsn(lsn))
                .unwrap()
                .map(|entry| entry.first.0)
                .collect()
        };
        assert_eq!(firsts(2), [1, 4, 5]);
        assert_eq!(firsts(7), [5]);
        assert!(window.from(Lsn(10)).is_none());
    }

    #[test]
    fn what_is_still_needed_is_kept_whatever_it_weighs() {
        let mut window = filled(&[1; 10], 0);
        window.evict(Lsn(4));
        assert_eq!(window.first(), Some(Lsn(5)));
        window.evict(Lsn(99));
        assert_eq!(window.len(), 0);
    }

    #[test]
    #[should_panic(expected = "no holes")]
    fn a_hole_is_refused() {
        let mut window = filled(&[2], 1 << 20);
        window.push(entry(4, 1, 0));
    }

    proptest! {
        #[test]
        fn galloping_finds_what_a_plain_search_finds(
            counts in prop::collection::vec(1_u32..6, 0..70),
            lsn in 0_u64..300,
        ) {
            let window = filled(&counts, 1 << 20);
            let plain = window.entries.iter().filter(|held| held.entry.last_lsn() < Lsn(lsn));
            prop_assert_eq!(window.ending_before(Lsn(lsn)), plain.count());
        }

        #[test]
        fn it_agrees_with_a_plain_vector(
            steps in prop::collection::vec((0_u8..4, 1_u32..6, 0_usize..200), 1..60),
            bytes_max in 0_u64..2000,
        ) {
            let (mut window, mut model) = (Window::new(bytes_max), Vec::<Entry>::new());
            let mut next = 1;
            for (kind, count, len) in steps {
                match kind {
                    0 | 1 => {
                        window.push(entry(next, count, len));
                        model.push(entry(next, count, len));
                        next += u64::from(count);
                    }
                    2 => {
                        let keep = model.len() / 2;
                        let Some(last) = model.get(keep).map(Entry::last_lsn) else { continue };
                        model.truncate(keep + 1);
                        window.truncate(last);
                        next = last.0 + 1;
                    }
                    _ => {
                        let upto = Lsn(next.saturating_sub(u64::from(count)));
                        window.evict(upto);
                        model.retain(|entry| window.first().is_some_and(|first| entry.first >= first));
                    }
                }
                let bytes: usize = model.iter().map(Entry::encoded_len).sum();
                prop_assert_eq!(window.bytes(), bytes as u64);
                prop_assert_eq!(window.len(), model.len());
                let first = model.first().map(|entry| entry.first);
                prop_assert_eq!(window.first(), first);
            }
        }
    }
}
