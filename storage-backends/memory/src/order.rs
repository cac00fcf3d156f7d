//! The ordered index: touched when a key comes or goes, never when its value changes.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::key::Key;

/// Keys in order, with their slots.
#[derive(Debug, Default)]
pub(crate) struct Order {
    slots: BTreeMap<Key, u32>,
}

impl Order {
    pub(crate) fn insert(&mut self, key: &[u8], slot: u32) {
        self.slots.insert(Key::new(key), slot);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.slots.remove(key);
    }

    /// Slots of the keys in `[from, to)`; an empty `to` means the end.
    pub(crate) fn range(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = u32> {
        let range = bounds(from, to).map(|bounds| self.slots.range::<[u8], _>(bounds));
        range.into_iter().flatten().map(|(_, &slot)| slot)
    }
}

/// The ends of a range of keys.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// `[from, to)` for a `BTreeMap`, or `None` where the map would panic because it is empty.
pub(crate) fn bounds<'a>(from: &'a [u8], to: &'a [u8]) -> Option<Bounds<'a>> {
    if to.is_empty() {
        return Some((Bound::Included(from), Bound::Unbounded));
    }
    (from < to).then_some((Bound::Included(from), Bound::Excluded(to)))
}
