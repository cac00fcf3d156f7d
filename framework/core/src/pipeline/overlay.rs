//! What keys will hold once every pending write is applied.
//!
//! Evaluations must see writes that are sealed but not yet visible. Most workloads never evaluate
//! anything, so the index over pending writes is built only when the first evaluation asks for it,
//! and given up when nothing is pending any more.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::records::RecordReader;
use crate::{
    Entry, FormatError, LogFormat, Lsn, RecordContext, Space, StateView, Wall, WriteBatch,
};

/// Sequence of a record that has no place in the log yet.
const UNPLACED: u64 = u64::MAX;

#[derive(Clone, Debug)]
struct Indexed {
    /// The entry that wrote it, by LSN of its last record, or `UNPLACED`.
    until: u64,
    value: Option<Bytes>,
}

/// Pending writes, oldest first, with an index by key while somebody needs it.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pending: VecDeque<Entry>,
    index: BTreeMap<Bytes, Indexed>,
    active: bool,
}

impl Overlay {
    /// An entry was appended to the log.
    pub(super) fn push(&mut self, entry: &Entry, format: &dyn LogFormat) {
        self.pending.push_back(entry.clone());
        if self.active {
            self.index_entry(entry, format);
        }
    }

    /// The engine has applied everything up to `lsn`.
    pub(super) fn applied(&mut self, lsn: Lsn) {
        let mut last = None;
        while let Some(entry) = self.pending.pop_front_if(|entry| entry.last_lsn() <= lsn) {
            last = Some(entry.last_lsn().0);
        }
        let (true, Some(last)) = (self.active, last) else {
            return;
        };
        self.index.retain(|_, indexed| indexed.until > last);
        if self.pending.is_empty() && self.index.is_empty() {
            self.active = false;
        }
    }

    /// A record was captured into the body under construction.
    pub(super) fn captured(&mut self, payload: &[u8], wall: Wall, format: &dyn LogFormat) {
        if self.active {
            self.index_payload(payload, wall, UNPLACED, format);
        }
    }

    /// Whether it indexes what is pending.
    pub(super) const fn is_active(&self) -> bool {
        self.active
    }

    /// Begins to index, if that has not begun yet. `unsealed` is the body under construction.
    pub(super) fn activate(&mut self, unsealed: Option<&Entry>, format: &dyn LogFormat) {
        if self.active {
            return;
        }
        self.active = true;
        let pending = std::mem::take(&mut self.pending);
        for entry in &pending {
            self.index_entry(entry, format);
        }
        self.pending = pending;
        for record in unsealed.into_iter().flat_map(RecordReader::new).flatten() {
            let wall = unsealed.map_or(Wall::default(), |entry| entry.wall);
            self.index_payload(record.payload, wall, UNPLACED, format);
        }
    }

    /// What `key` will hold, given what the engine holds now.
    pub(super) fn over(&self, key: &[u8], found: Option<Bytes>) -> Option<Bytes> {
        self.index
            .get(key)
            .map_or(found, |indexed| indexed.value.clone())
    }

    /// A proposal was refused: what it wrote will never be. The index starts anew.
    pub(super) fn forget_unplaced(&mut self) {
        self.index.clear();
        self.active = false;
    }

    /// Forgets everything: another leader orders writes now.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn index_entry(&mut self, entry: &Entry, format: &dyn LogFormat) {
        for record in RecordReader::new(entry).flatten() {
            self.index_payload(record.payload, entry.wall, entry.last_lsn().0, format);
        }
    }

    fn index_payload(&mut self, payload: &[u8], wall: Wall, until: u64, format: &dyn LogFormat) {
        let mut batch = WriteBatch::default();
        let context = RecordContext { wall };
        // The leader wrote this payload a moment ago; what cannot be read back changes nothing.
        if replay(
            format,
            context,
            payload,
            &IndexView(&self.index),
            &mut batch,
        )
        .is_err()
        {
            return;
        }
        let owned: Vec<_> = batch
            .changes
            .iter()
            .filter(|change| change.space == Space::Data)
            .map(|c| {
                (
                    Bytes::copy_from_slice(&c.key),
                    c.value.as_deref().map(Bytes::copy_from_slice),
                )
            })
            .collect();
        for (key, value) in owned {
            self.index.insert(key, Indexed { until, value });
        }
    }
}

fn replay<'a>(
    format: &dyn LogFormat,
    context: RecordContext,
    payload: &'a [u8],
    view: &dyn StateView,
    batch: &mut WriteBatch<'a>,
) -> Result<(), FormatError> {
    format.replay(context, payload, view, batch)
}

struct IndexView<'a>(&'a BTreeMap<Bytes, Indexed>);

impl StateView for IndexView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, crate::EngineError> {
        Ok(self.0.get(key).and_then(|indexed| indexed.value.clone()))
    }
}
