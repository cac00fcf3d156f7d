//! The ordered index: touched when a key comes or goes, never when its value changes.
//!
//! Keys are divided into leaves by their order, and within a leaf they stand as they came: a new
//! key costs one search among the leaves and one push. A leaf is sorted when it is scanned, which
//! reads its entries anyway, or split. It holds slots alone, so the index takes a few bytes a key.

use std::hint::black_box;

use crate::key::Key;
use crate::leaves::{At, Leaf, Leaves, prefix};
use crate::slab::Slab;

/// Slots in a leaf. More make short scans slower, for they sort a whole leaf; fewer make more
/// leaves to search.
const LEAF_MAX: usize = 192;

/// A key on its way to its place, with what decides most comparisons in front.
type Sorted<'a> = (u128, &'a [u8], u32);

/// A key's leaf, looked up ahead.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hint {
    at: At,
    version: u64,
}

/// Keys in order.
#[derive(Debug)]
pub(crate) struct Order {
    leaves: Leaves,
    /// Changes with the places of leaves; hints are of one version. Starts above a default hint's.
    version: u64,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self {
            leaves: Leaves::new(),
            version: 1,
        }
    }

    /// Looks a key's leaf up for a later insertion or removal.
    pub(crate) fn hint(&self, key: &[u8]) -> Hint {
        let (at, version) = (self.leaves.find(key), self.version);
        Hint { at, version }
    }

    /// Reads what an insertion will need, to warm the cache: the place behind the last slot.
    pub(crate) fn touch_end(&self, hint: Hint) -> u64 {
        let last = self.leaves.get(hint.at).and_then(|leaf| leaf.slots.last());
        last.map_or(0, |&slot| slot.into())
    }

    /// Reads what a removal will need: all slots, one of each cache line.
    pub(crate) fn touch_all(&self, hint: Hint) -> u64 {
        let slots = self.leaves.get(hint.at).map_or(&[][..], |leaf| &leaf.slots);
        let lines = slots.iter().step_by(16);
        lines.fold(0, |sum, &slot| sum ^ u64::from(slot))
    }

    fn find(&self, key: &[u8], hint: Hint) -> At {
        if hint.version == self.version {
            return hint.at;
        }
        self.leaves.find(key)
    }

    /// Adds a key that is in the slab already.
    pub(crate) fn insert(&mut self, slab: &Slab, slot: u32, hint: Hint) {
        let at = self.find(slab.key(slot), hint);
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        leaf.slots.push(slot);
        if leaf.slots.len() > LEAF_MAX {
            let upper = split(&mut leaf.slots, slab);
            self.leaves.insert_behind(at, upper);
            self.version += 1;
        }
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &[u8], slot: u32, hint: Hint) {
        let at = self.find(key, hint);
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        if let Some(at) = leaf.slots.iter().position(|&other| other == slot) {
            leaf.slots.swap_remove(at);
        }
        if leaf.slots.is_empty() {
            self.leaves.remove(at);
            self.version += 1;
        }
    }

    /// Visits the keys of `[from, to)` in order until `visit` says `false`. An empty `to` means the
    /// end.
    pub(crate) fn visit<'a>(
        &self,
        slab: &'a Slab,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&'a [u8], u32) -> bool,
    ) {
        let is_before_end = |key: &[u8]| to.is_empty() || key < to;
        let mut sorted = Vec::with_capacity(LEAF_MAX);
        for leaf in self.leaves.from(self.leaves.find(from)) {
            if !is_before_end(leaf.first.as_slice()) {
                return;
            }
            sorted.clear();
            touch_entries(slab, &leaf.slots);
            let keys = leaf.slots.iter().map(|&slot| with_key(slab, slot));
            sorted.extend(keys.filter(|(_, key, _)| *key >= from && is_before_end(key)));
            sorted.sort_unstable();
            if !sorted.iter().all(|&(_, key, slot)| visit(key, slot)) {
                return;
            }
        }
    }
}

/// Reads all entries of a leaf, so that their cache misses overlap: nothing here waits for any.
fn touch_entries(slab: &Slab, slots: &[u32]) {
    let stamps = slots.iter().filter_map(|&slot| slab.get(slot));
    black_box(stamps.fold(0, |sum, entry| sum ^ entry.stamp));
}

fn with_key(slab: &Slab, slot: u32) -> Sorted<'_> {
    let key = slab.key(slot);
    (prefix(key), key, slot)
}

/// Moves the upper half of a leaf's slots into a new leaf.
fn split(slots: &mut Vec<u32>, slab: &Slab) -> Leaf {
    let newest = slots.last().copied();
    touch_entries(slab, slots);
    let mut sorted: Vec<_> = slots.iter().map(|&slot| with_key(slab, slot)).collect();
    sorted.sort_unstable();
    // A key behind all others is most likely one of many that come in order: a leaf that stays
    // full is better than one that stays half empty.
    let is_behind = sorted.last().map(|&(_, _, slot)| slot) == newest;
    let middle = sorted.len() - if is_behind { 1 } else { sorted.len() / 2 };
    let (lower, upper) = sorted.split_at(middle);
    slots.clear();
    slots.extend(lower.iter().map(|&(_, _, slot)| slot));
    let first = Key::new(upper.first().map_or(&[], |&(_, key, _)| key));
    // The capacity that it will need: growing it step by step costs more than the split.
    let mut new = Vec::with_capacity(LEAF_MAX + 1);
    new.extend(upper.iter().map(|&(_, _, slot)| slot));
    Leaf { first, slots: new }
}
