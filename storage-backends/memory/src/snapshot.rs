//! An open snapshot: a walk over slab and replicated rows, and the old rows that writes pushed out
//! of its way.
//!
//! A row belongs to the snapshot when it was there at the beginning. The walk emits rows as they
//! are; a write that changes a row which the walk has not reached copies the old row into `pending`
//! first and stamps the row with the snapshot's number, so that the walk skips it. Rows that come
//! later carry the stamp from the start. So the extra memory is one copy of each row that was
//! changed ahead of the walk and not yet read.

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{SnapshotChunk, Space};

use crate::pending::Pending;
use crate::rows::{Row, Rows};
use crate::slab::{Entry, Slab};

/// Bytes that a chunk adds to a row.
const ROW_FRAME: usize = 9;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Snapshot {
    number: u32,
    pending: Pending,
    /// Slots below were emitted.
    next_slot: u32,
    /// Slots from here on did not exist.
    end_slot: u32,
    /// The replicated row that was emitted last.
    replicated: Option<Box<[u8]>>,
}

impl Snapshot {
    /// `number` was never used before.
    pub(crate) const fn new(number: u32, slab: &Slab) -> Self {
        Self {
            number,
            pending: Pending::new(),
            next_slot: 0,
            end_slot: slab.end(),
            replicated: None,
        }
    }

    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of old rows that wait to be read.
    pub(crate) fn bytes(&self) -> u64 {
        self.pending.bytes()
    }

    /// Called before an entry changes or goes.
    pub(crate) fn keep_data(&mut self, slot: u32, entry: &mut Entry) {
        let is_ahead = slot >= self.next_slot && slot < self.end_slot;
        if !is_ahead || entry.stamp == self.number || planted(Bug::SnapshotNotFixed) {
            return;
        }
        entry.stamp = self.number;
        if let Some(key) = &entry.key {
            self.pending.push(Space::Data, key.as_slice(), &entry.value);
        }
    }

    /// Called before a replicated row changes or goes.
    pub(crate) fn keep_replicated(&mut self, key: &[u8], row: &mut Row) {
        let is_ahead = self.replicated.as_deref().is_none_or(|last| key > last);
        if !is_ahead || row.stamp == self.number || planted(Bug::SnapshotNotFixed) {
            return;
        }
        row.stamp = self.number;
        self.pending.push(Space::Replicated, key, &row.value);
    }

    /// Moves rows into `chunk`, at least one while there are any. Returns whether that was all.
    pub(crate) fn read(
        &mut self,
        slab: &Slab,
        replicated: &Rows,
        chunk: &mut SnapshotChunk,
        bytes_max: usize,
    ) -> bool {
        // Old rows first: they are what costs memory.
        self.read_pending(chunk, bytes_max)
            && self.read_data(slab, chunk, bytes_max)
            && self.read_replicated(replicated, chunk, bytes_max)
    }

    fn read_pending(&mut self, chunk: &mut SnapshotChunk, bytes_max: usize) -> bool {
        while let Some((space, key, value)) = self.pending.front() {
            if !push(chunk, bytes_max, space, key, value) {
                return false;
            }
            self.pending.pop();
        }
        true
    }

    fn read_data(&mut self, slab: &Slab, chunk: &mut SnapshotChunk, bytes_max: usize) -> bool {
        while self.next_slot < self.end_slot {
            if let Some(entry) = slab.get(self.next_slot)
                && let Some(key) = &entry.key
                && entry.stamp != self.number
                && !push(chunk, bytes_max, Space::Data, key.as_slice(), &entry.value)
            {
                return false;
            }
            self.next_slot += 1;
        }
        true
    }

    fn read_replicated(
        &mut self,
        rows: &Rows,
        chunk: &mut SnapshotChunk,
        bytes_max: usize,
    ) -> bool {
        let mut last = None;
        let mut is_through = true;
        for (key, row) in rows.after(self.replicated.as_deref()) {
            let belongs = row.stamp != self.number;
            if belongs && !push(chunk, bytes_max, Space::Replicated, key, &row.value) {
                is_through = false;
                break;
            }
            last = Some(key);
        }
        if let Some(last) = last {
            self.replicated = Some(last.into());
        }
        is_through
    }
}

/// Adds a row unless the chunk is full. A chunk never stays empty, whatever the row's size.
fn push(
    chunk: &mut SnapshotChunk,
    bytes_max: usize,
    space: Space,
    key: &[u8],
    value: &[u8],
) -> bool {
    let fits = chunk.len() + ROW_FRAME + key.len() + value.len() <= bytes_max;
    if fits || chunk.is_empty() {
        chunk.push(space, key, value);
        return true;
    }
    false
}
