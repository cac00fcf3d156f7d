//! The hash index: extendible hashing over segments of open addressing.
//!
//! A bucket is a 32-bit tag (the upper half of the key's hash) and a 32-bit slot. The tag's upper
//! bits choose the segment through a directory, its lower bits the bucket inside. A full segment
//! is split in two without touching entries or any other segment, so the index grows in steps of a
//! few microseconds however large it is.

use crate::slab::NONE;

/// Buckets of a segment: 8 KiB, of which a split reads all.
const SEGMENT_BITS: u32 = 10;
const SEGMENT_LEN: usize = 1 << SEGMENT_BITS;
/// Keys of a segment above which it is split: linear probing gets slow beyond four fifths.
const SEGMENT_KEYS_MAX: u32 = 820;
/// The directory's bits never overlap the ones that choose a bucket.
const DEPTH_MAX: u32 = 32 - SEGMENT_BITS;
const EMPTY: u64 = u64::MAX;

type Segment = Box<[u64; SEGMENT_LEN]>;

/// How full a segment is, and how many bits of the tag its keys share.
#[derive(Clone, Copy, Debug, Default)]
struct Fill {
    keys: u32,
    depth: u32,
}

/// Tag → slot.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// The upper `depth` bits of a tag → a segment.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
    fills: Vec<Fill>,
}

impl Buckets {
    /// Allocates nothing before the first key.
    pub(crate) fn new() -> Self {
        Self {
            directory: vec![0],
            depth: 0,
            segments: Vec::new(),
            fills: Vec::new(),
        }
    }

    #[inline]
    fn segment_of(&self, tag: u32) -> usize {
        let place = (u64::from(tag) << self.depth) >> 32;
        let segment = usize::try_from(place)
            .ok()
            .and_then(|place| self.directory.get(place));
        segment.map_or(usize::MAX, |&segment| segment as usize)
    }

    /// The bucket where probing for `tag` starts, to warm the cache.
    #[inline]
    pub(crate) fn touch(&self, tag: u32) -> u64 {
        let segment = self.segments.get(self.segment_of(tag));
        segment.map_or(0, |segment| bucket(segment, home(tag)))
    }

    /// The first slot under `tag` that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let segment = self.segments.get(self.segment_of(tag))?;
        let start = home(tag);
        for step in 0..SEGMENT_LEN {
            let (other, slot) = unpack(bucket(segment, start + step));
            if slot == NONE {
                return None;
            }
            if other == tag && is_it(slot) {
                return Some(slot);
            }
        }
        None
    }

    /// Adds a slot that is not there yet. Returns `false` when the index cannot grow any more,
    /// which 22 bits of directory put at three thousand million keys.
    #[must_use]
    pub(crate) fn insert(&mut self, tag: u32, slot: u32) -> bool {
        if self.segments.is_empty() {
            self.segments.push(Box::new([EMPTY; SEGMENT_LEN]));
            self.fills.push(Fill::default());
        }
        loop {
            let place = self.segment_of(tag);
            let (Some(segment), Some(fill)) =
                (self.segments.get_mut(place), self.fills.get_mut(place))
            else {
                return false;
            };
            if fill.keys < SEGMENT_KEYS_MAX {
                fill.keys += 1;
                return add(segment, tag, slot);
            }
            if !self.split(place, tag) {
                return false;
            }
        }
    }

    /// Takes a slot out, if it is there.
    pub(crate) fn remove(&mut self, tag: u32, slot: u32) {
        let place = self.segment_of(tag);
        let (Some(segment), Some(fill)) = (self.segments.get_mut(place), self.fills.get_mut(place))
        else {
            return;
        };
        let wanted = pack(tag, slot);
        let start = home(tag);
        let found = (start..start + SEGMENT_LEN)
            .take_while(|&at| bucket(segment, at) != EMPTY)
            .find(|&at| bucket(segment, at) == wanted);
        if let Some(at) = found {
            fill.keys -= 1;
            close_gap(segment, at % SEGMENT_LEN);
        }
    }

    /// Splits a segment by the next bit of its tags.
    fn split(&mut self, place: usize, tag: u32) -> bool {
        let Some(depth) = self.fills.get(place).map(|fill| fill.depth) else {
            return false;
        };
        if depth >= DEPTH_MAX {
            return false;
        }
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&s| [s, s]).collect();
            self.depth += 1;
        }
        let bit = 1 << (31 - depth);
        let mut halves: [Segment; 2] = [
            Box::new([EMPTY; SEGMENT_LEN]),
            Box::new([EMPTY; SEGMENT_LEN]),
        ];
        let mut fills = [Fill {
            keys: 0,
            depth: depth + 1,
        }; 2];
        let [low, high] = &mut halves;
        let [low_fill, high_fill] = &mut fills;
        for &old in self.segments.get(place).into_iter().flat_map(|s| s.iter()) {
            let (tag, slot) = unpack(old);
            if slot == NONE {
                continue;
            }
            let (half, fill) = if tag & bit == 0 {
                (&mut *low, &mut *low_fill)
            } else {
                (&mut *high, &mut *high_fill)
            };
            fill.keys += 1;
            add(half, tag, slot);
        }
        self.replace(place, tag, halves, fills);
        true
    }

    /// Puts the halves of a segment in its place and at the end.
    fn replace(&mut self, place: usize, tag: u32, halves: [Segment; 2], fills: [Fill; 2]) {
        let [low, high] = halves;
        let [low_fill, high_fill] = fills;
        let new = u32::try_from(self.segments.len()).unwrap_or(NONE);
        if let (Some(segment), Some(fill)) =
            (self.segments.get_mut(place), self.fills.get_mut(place))
        {
            *segment = low;
            *fill = low_fill;
        }
        self.segments.push(high);
        self.fills.push(high_fill);
        // The directory's entries of the old segment are neighbours; the upper half moves over.
        let shared = low_fill.depth - 1;
        let first = ((u64::from(tag) << shared) >> 32) << (self.depth - shared);
        let half = 1usize << (self.depth - shared - 1);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        for entry in self.directory.iter_mut().skip(first + half).take(half) {
            *entry = new;
        }
    }
}

#[inline]
fn home(tag: u32) -> usize {
    tag as usize % SEGMENT_LEN
}

#[inline]
fn bucket(segment: &Segment, at: usize) -> u64 {
    segment.get(at % SEGMENT_LEN).copied().unwrap_or(EMPTY)
}

#[inline]
fn pack(tag: u32, slot: u32) -> u64 {
    u64::from(slot) << 32 | u64::from(tag)
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
const fn unpack(bucket: u64) -> (u32, u32) {
    (bucket as u32, (bucket >> 32) as u32)
}

/// Puts a slot into the first empty bucket; `false` when there is none.
fn add(segment: &mut Segment, tag: u32, slot: u32) -> bool {
    let start = home(tag);
    for at in start..start + SEGMENT_LEN {
        if let Some(place) = segment.get_mut(at % SEGMENT_LEN)
            && *place == EMPTY
        {
            *place = pack(tag, slot);
            return true;
        }
    }
    false
}

/// Empties a bucket and moves later ones of its run back, so that probing needs no tombstones.
fn close_gap(segment: &mut Segment, mut gap: usize) {
    let mut at = gap;
    loop {
        at = (at + 1) % SEGMENT_LEN;
        let moved = bucket(segment, at);
        if moved == EMPTY {
            break;
        }
        let (tag, _) = unpack(moved);
        // It may move when the gap lies between its home and its place, going round.
        let from_home = (at + SEGMENT_LEN - home(tag)) % SEGMENT_LEN;
        let from_gap = (at + SEGMENT_LEN - gap) % SEGMENT_LEN;
        if from_home >= from_gap {
            set(segment, gap, moved);
            gap = at;
        }
    }
    set(segment, gap, EMPTY);
}

fn set(segment: &mut Segment, at: usize, bucket: u64) {
    if let Some(place) = segment.get_mut(at) {
        *place = bucket;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(i: u32) -> u32 {
        let hash = xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes());
        u32::try_from(hash >> 32).unwrap()
    }

    #[test]
    fn every_slot_is_found_while_segments_split_and_gaps_close() {
        let mut buckets = Buckets::new();
        for slot in 0..50_000 {
            assert!(buckets.insert(tag(slot), slot));
        }
        for slot in (0..50_000).step_by(3) {
            buckets.remove(tag(slot), slot);
        }
        for slot in 0..50_000 {
            let found = buckets.find(tag(slot), |s| s == slot);
            assert_eq!(found, (slot % 3 != 0).then_some(slot));
        }
        for slot in (0..50_000).step_by(3) {
            assert!(buckets.insert(tag(slot), slot));
        }
        for slot in 0..50_000 {
            assert_eq!(buckets.find(tag(slot), |s| s == slot), Some(slot));
        }
    }

    #[test]
    fn equal_tags_are_kept_apart_and_too_many_are_refused() {
        let mut buckets = Buckets::new();
        let kept = (0..2000)
            .take_while(|&slot| buckets.insert(7, slot))
            .count();
        assert_eq!(kept, SEGMENT_KEYS_MAX as usize);
        assert_eq!(buckets.find(7, |slot| slot == 811), Some(811));
        buckets.remove(7, 811);
        assert_eq!(buckets.find(7, |slot| slot == 811), None);
        assert_eq!(buckets.find(7, |slot| slot == 819), Some(819));
    }
}
