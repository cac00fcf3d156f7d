//! What a replica has applied, and bodies of entries as the write pipeline would make them.

use bytes::{Bytes, BytesMut};
use repertoire_core::{Entry, EntryId, put_blob};

/// Every applied entry, so that histories can be compared and not only states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) position: EntryId,
    pub(super) frontier: Bytes,
    pub(super) history: Vec<(EntryId, Bytes)>,
}

impl Engine {
    pub(super) fn apply(&mut self, entries: Vec<Entry>, frontier: Option<Bytes>) {
        for entry in entries {
            let next = self.position.lsn.next();
            assert_eq!(entry.first, next, "entries are applied in order, each once");
            self.position = entry.last();
            self.history.push((entry.last(), entry.body));
        }
        self.frontier = frontier.unwrap_or_else(|| self.frontier.clone());
    }

    /// Whether the record that was given out as `position` is among what was applied.
    pub(super) fn holds(&self, position: EntryId) -> bool {
        let behind = |(last, _): &(EntryId, Bytes)| last.lsn < position.lsn;
        let at = self.history.partition_point(behind);
        let entry = self.history.get(at);
        entry.is_some_and(|(last, _)| last.epoch == position.epoch)
    }
}

/// The body of an entry: `count` records of one request, which `number` names.
pub(super) fn records(number: u64, count: u32, len: usize) -> Bytes {
    let key = number.to_le_bytes();
    let mut body = BytesMut::new();
    body.extend_from_slice(&1_u128.to_le_bytes());
    body.extend_from_slice(&(number << 16).to_le_bytes());
    body.extend_from_slice(&0_u64.to_le_bytes());
    body.extend_from_slice(&count.to_le_bytes());
    for _ in 0..count {
        body.extend_from_slice(key.first_chunk::<4>().unwrap_or(&[0; 4]));
        put_blob(&mut body, b"");
        put_blob(&mut body, &vec![b'x'; len]);
    }
    body.freeze()
}
