//! Leaves of the ordered index, and which of them a key belongs to.
//!
//! Two levels of sorted arrays: groups, and the leaves of a group. Both are searched by the first
//! sixteen bytes of a key as a number, which decides almost always and stays in the cache; only
//! among equals the keys themselves are compared.

use crate::key::Key;

/// Leaves in a group: what moves when a leaf is added.
const GROUP_MAX: usize = 256;

/// The first bytes of a key as a number, in the order of keys; a shorter key counts as one that
/// goes on with zeros.
#[inline]
pub(crate) fn prefix(key: &[u8]) -> u128 {
    if let Some(first) = key.first_chunk() {
        return u128::from_be_bytes(*first);
    }
    let mut bytes = [0; 16];
    if let Some(place) = bytes.get_mut(..key.len()) {
        place.copy_from_slice(key);
    }
    u128::from_be_bytes(bytes)
}

/// Slots of the keys from `first` up to the next leaf's first.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) first: Key,
    pub(crate) slots: Vec<u32>,
}

#[derive(Debug, Default)]
struct Group {
    prefixes: Vec<u128>,
    leaves: Vec<Leaf>,
}

impl Group {
    fn first(&self) -> &[u8] {
        self.leaves
            .first()
            .map_or(&[], |leaf| leaf.first.as_slice())
    }
}

/// All leaves, in order. There is always one, whose first key is the empty one.
#[derive(Debug)]
pub(crate) struct Leaves {
    prefixes: Vec<u128>,
    groups: Vec<Group>,
}

/// Where a leaf is, until one comes or goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct At {
    group: usize,
    leaf: usize,
}

impl Leaves {
    pub(crate) fn new() -> Self {
        let leaf = Leaf {
            first: Key::new(&[]),
            slots: Vec::new(),
        };
        let group = Group {
            prefixes: vec![0],
            leaves: vec![leaf],
        };
        Self {
            prefixes: vec![0],
            groups: vec![group],
        }
    }

    /// The leaf that a key belongs to.
    pub(crate) fn find(&self, key: &[u8]) -> At {
        let wanted = prefix(key);
        let group = last_upto(&self.prefixes, wanted, |at| {
            self.groups
                .get(at)
                .is_some_and(|group| group.first() <= key)
        });
        let leaf = self.groups.get(group).map_or(0, |group| {
            let is_upto = |leaf: &Leaf| leaf.first.as_slice() <= key;
            last_upto(&group.prefixes, wanted, |at| {
                group.leaves.get(at).is_some_and(is_upto)
            })
        });
        At { group, leaf }
    }

    pub(crate) fn get(&self, at: At) -> Option<&Leaf> {
        self.groups.get(at.group)?.leaves.get(at.leaf)
    }

    pub(crate) fn get_mut(&mut self, at: At) -> Option<&mut Leaf> {
        self.groups.get_mut(at.group)?.leaves.get_mut(at.leaf)
    }

    /// The leaf at a place and all behind it.
    pub(crate) fn from(&self, at: At) -> impl Iterator<Item = &Leaf> {
        let groups = self.groups.get(at.group..).unwrap_or_default();
        let leaves = groups.iter().flat_map(|group| &group.leaves);
        leaves.skip(at.leaf)
    }

    /// Adds a leaf behind another one.
    pub(crate) fn insert_behind(&mut self, at: At, leaf: Leaf) {
        let Some(group) = self.groups.get_mut(at.group) else {
            return;
        };
        group
            .prefixes
            .insert(at.leaf + 1, prefix(leaf.first.as_slice()));
        group.leaves.insert(at.leaf + 1, leaf);
        if group.leaves.len() <= GROUP_MAX {
            return;
        }
        // As for leaves: keys that come in order leave full groups behind.
        let is_behind = at.leaf + 2 == group.leaves.len();
        let middle = if is_behind { GROUP_MAX } else { GROUP_MAX / 2 };
        let upper = Group {
            prefixes: group.prefixes.split_off(middle),
            leaves: group.leaves.split_off(middle),
        };
        let first = upper.prefixes.first().copied().unwrap_or_default();
        self.prefixes.insert(at.group + 1, first);
        self.groups.insert(at.group + 1, upper);
    }

    /// Removes an empty leaf, but never the very first one.
    pub(crate) fn remove(&mut self, at: At) {
        let Some(group) = self.groups.get_mut(at.group) else {
            return;
        };
        if (at.group, at.leaf) == (0, 0) || at.leaf >= group.leaves.len() {
            return;
        }
        group.prefixes.remove(at.leaf);
        group.leaves.remove(at.leaf);
        let first = group.prefixes.first().copied();
        if let (Some(first), Some(place)) = (first, self.prefixes.get_mut(at.group)) {
            *place = first;
        } else {
            self.prefixes.remove(at.group);
            self.groups.remove(at.group);
        }
    }
}

/// The last place whose key is not greater than the wanted one; 0 if there is none. `is_upto` is
/// asked about places with an equal prefix only.
#[inline]
fn last_upto(prefixes: &[u128], wanted: u128, is_upto: impl Fn(usize) -> bool) -> usize {
    let mut low = prefixes.partition_point(|&prefix| prefix < wanted);
    let equal = prefixes.get(low..).unwrap_or_default();
    let mut len = equal.partition_point(|&prefix| prefix == wanted);
    while len > 0 {
        let half = len / 2;
        if is_upto(low + half) {
            low += half + 1;
            len -= half + 1;
        } else {
            len = half;
        }
    }
    low.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_in_the_order_of_keys() {
        let mut keys: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0, 0], vec![0, 1], vec![255; 17]];
        keys.extend([vec![255; 16], vec![1; 15], vec![1; 16], b"abc".to_vec()]);
        keys.sort();
        let in_order = |pair: &[Vec<u8>]| prefix(&pair[0]) <= prefix(&pair[1]);
        assert!(keys.windows(2).all(in_order));
    }

    #[test]
    fn leaves_are_found_among_many_with_equal_prefixes() {
        let mut leaves = Leaves::new();
        let key = |i: u32| [&[7; 20][..], &i.to_be_bytes()].concat();
        for i in 0..2000 {
            let at = leaves.find(&key(i));
            let (first, slots) = (Key::new(&key(i)), vec![i]);
            leaves.insert_behind(at, Leaf { first, slots });
        }
        for i in 0..2000 {
            let at = leaves.find(&key(i));
            assert_eq!(leaves.get_mut(at).unwrap().slots, [i]);
        }
        for i in (0..2000).filter(|i| i % 500 != 0) {
            let at = leaves.find(&key(i));
            leaves.remove(at);
        }
        let at = leaves.find(&key(1234));
        assert_eq!(leaves.get_mut(at).unwrap().slots, [1000]);
        let at = leaves.find(b"");
        assert_eq!(leaves.from(at).count(), 5);
    }
}
