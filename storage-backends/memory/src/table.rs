//! The data space: hash index, slab and ordered index together.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::buckets::Buckets;
use crate::key::Key;
use crate::order::{Hint, Order};
use crate::slab::{Entry, NONE, Slab};
use crate::snapshot::Snapshot;

/// Rough cost of a key beside its value: entry, bucket at half load, slot in the ordered index.
const KEY_OVERHEAD: u64 = 64 + 16 + 8;
/// A value that leaves more than this unused, and more than three quarters of its allocation,
/// moves to a smaller one.
const SLACK_MAX: usize = 1024;

/// What was looked up for a change before it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) tag: u32,
    /// Where the key was, or [`NONE`].
    pub(crate) slot: u32,
    /// Where its leaf is, if it comes or goes.
    pub(crate) hint: Hint,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            tag: 0,
            slot: NONE,
            hint: Hint::default(),
        }
    }
}

/// Keys and values of the data space.
#[derive(Debug)]
pub(crate) struct Table {
    seed: u64,
    buckets: Buckets,
    slab: Slab,
    order: Order,
    keys: u64,
    /// Allocations of values and long keys.
    heap_bytes: u64,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            buckets: Buckets::new(),
            slab: Slab::new(),
            order: Order::new(),
            keys: 0,
            heap_bytes: 0,
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.keys
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.keys * KEY_OVERHEAD + self.heap_bytes
    }

    pub(crate) const fn slab(&self) -> &Slab {
        &self.slab
    }

    pub(crate) const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    pub(crate) const fn order(&self) -> &Order {
        &self.order
    }

    #[inline]
    pub(crate) fn tag(&self, key: &[u8]) -> u32 {
        (xxh3_64_with_seed(key, self.seed) >> 32) as u32
    }

    /// The slot of a key, or [`NONE`].
    #[inline]
    pub(crate) fn find(&self, tag: u32, key: &[u8]) -> u32 {
        let is_it = |slot| self.slab.get(slot).is_some_and(|entry| entry.holds(key));
        self.buckets.find(tag, is_it).unwrap_or(NONE)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = self.slab.get(self.find(self.tag(key), key))?;
        Some(&entry.value)
    }

    /// Visits the rows of `[from, to)` in order until `visit` says `false`.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        self.order.visit(&self.slab, from, to, &mut |key, slot| {
            let value = self.slab.get(slot).map(|entry| entry.value.as_slice());
            visit(key, value.unwrap_or_default())
        });
    }

    /// Replaces the value of a used slot.
    #[inline]
    pub(crate) fn overwrite(&mut self, slot: u32, value: &[u8], snapshot: Option<&mut Snapshot>) {
        let Some(entry) = self.slab.get_mut(slot) else {
            return;
        };
        if let Some(snapshot) = snapshot {
            snapshot.keep_data(slot, entry);
        }
        let old = entry.value.capacity();
        if value.len() <= old && (old <= SLACK_MAX || value.len() >= old / 4) {
            entry.value.clear();
            entry.value.extend_from_slice(value);
        } else {
            entry.value = value.to_vec();
            self.heap_bytes += entry.value.capacity() as u64;
            self.heap_bytes -= old as u64;
        }
    }

    /// Adds a key that is not there. Returns `false` when the index cannot grow.
    pub(crate) fn insert(&mut self, place: Place, key: &[u8], value: &[u8], stamp: u32) -> bool {
        let key = Key::new(key);
        self.heap_bytes += (key.heap_len() + value.len()) as u64;
        self.keys += 1;
        let slot = self.slab.insert(Entry {
            key: Some(key),
            value: value.to_vec(),
            stamp,
            link: NONE,
        });
        self.order.insert(&self.slab, slot, place.hint);
        self.buckets.insert(place.tag, slot)
    }

    /// Removes the key of a used slot.
    pub(crate) fn remove(&mut self, place: Place, slot: u32, snapshot: Option<&mut Snapshot>) {
        let Some(entry) = self.slab.get_mut(slot) else {
            return;
        };
        if let Some(snapshot) = snapshot {
            snapshot.keep_data(slot, entry);
        }
        if let Some((key, value)) = self.slab.remove(slot) {
            self.order.remove(key.as_slice(), slot, place.hint);
            self.buckets.remove(place.tag, slot);
            self.keys -= 1;
            self.heap_bytes -= (key.heap_len() + value.capacity()) as u64;
        }
    }
}
