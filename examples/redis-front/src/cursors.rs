//! Cursors of `SCAN`. A client gets a number; what it stands for is kept here.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Most cursors kept; the oldest are forgotten first. At most 16 MiB, with the longest keys.
const CURSORS_MAX: usize = 4096;

/// Where scans go on, by number.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    last: u64,
    from: BTreeMap<u64, (usize, Bytes)>,
}

impl Cursors {
    /// Keeps where a scan of a database goes on; returns its number, which is never 0.
    pub(crate) fn keep(&mut self, database: usize, from: Bytes) -> u64 {
        self.last += 1;
        self.from.insert(self.last, (database, from));
        if self.from.len() > CURSORS_MAX {
            self.from.pop_first();
        }
        self.last
    }

    /// Where a scan of that database goes on. The cursor stays: a client may ask again.
    pub(crate) fn get(&self, database: usize, cursor: u64) -> Option<Bytes> {
        let (of, from) = self.from.get(&cursor)?;
        (*of == database).then(|| from.clone())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{CURSORS_MAX, Cursors};

    #[test]
    fn the_oldest_cursors_are_forgotten_and_databases_kept_apart() {
        let mut cursors = Cursors::default();
        let first = cursors.keep(0, Bytes::from_static(b"a"));
        assert_eq!(cursors.get(0, first).as_deref(), Some(&b"a"[..]));
        assert_eq!(cursors.get(1, first), None);
        for _ in 0..CURSORS_MAX {
            cursors.keep(0, Bytes::new());
        }
        assert_eq!(cursors.get(0, first), None);
        assert_eq!(cursors.from.len(), CURSORS_MAX);
    }
}
