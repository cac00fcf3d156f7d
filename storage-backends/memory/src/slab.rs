//! The slab: entries in fixed-size chunks, named by a 32-bit slot that never moves.

use crate::key::Key;

/// Entries in a chunk: 256 KiB, small enough that filling one is no stall.
const CHUNK_BITS: u32 = 12;
const CHUNK_LEN: usize = 1 << CHUNK_BITS;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// A key and what it holds. One cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    /// `None`: the slot is free.
    pub(crate) key: Option<Key>,
    pub(crate) value: Vec<u8>,
    /// Number of the snapshot that this entry was kept for or does not belong to.
    pub(crate) stamp: u32,
    /// Of a free slot: the next free one.
    pub(crate) link: u32,
}

const _: () = assert!(size_of::<Entry>() == 64, "an entry fills one cache line");

impl Entry {
    #[inline]
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.key.as_ref().is_some_and(|own| own.as_slice() == key)
    }
}

/// All entries of a replica.
#[derive(Debug)]
pub(crate) struct Slab {
    /// The first chunk grows by doubling, so that an idle keyspace stays small; the others are
    /// allocated whole.
    chunks: Vec<Vec<Entry>>,
    free: u32,
    end: u32,
}

impl Slab {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
            end: 0,
        }
    }

    /// One more than the highest slot ever used.
    pub(crate) const fn end(&self) -> u32 {
        self.end
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Entry> {
        let chunk = self.chunks.get((slot >> CHUNK_BITS) as usize)?;
        chunk.get(slot as usize % CHUNK_LEN)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        let chunk = self.chunks.get_mut((slot >> CHUNK_BITS) as usize)?;
        chunk.get_mut(slot as usize % CHUNK_LEN)
    }

    /// The key of a used slot.
    #[inline]
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let entry = self.get(slot).and_then(|entry| entry.key.as_ref());
        entry.map(Key::as_slice).unwrap_or_default()
    }

    /// Stores an entry and says where. Callers keep the number of entries below [`NONE`].
    pub(crate) fn insert(&mut self, entry: Entry) -> u32 {
        let slot = self.free;
        if let Some(place) = self.get_mut(slot) {
            let next = place.link;
            *place = entry;
            self.free = next;
            return slot;
        }
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN => chunk.push(entry),
            last => {
                let whole = if last.is_some() { CHUNK_LEN } else { 0 };
                let mut chunk = Vec::with_capacity(whole);
                chunk.push(entry);
                self.chunks.push(chunk);
            }
        }
        let slot = self.end;
        self.end += 1;
        slot
    }

    /// Empties a used slot for reuse and returns its value.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<(Key, Vec<u8>)> {
        let free = self.free;
        let entry = self.get_mut(slot)?;
        let key = entry.key.take()?;
        let value = std::mem::take(&mut entry.value);
        entry.link = free;
        self.free = slot;
        Some((key, value))
    }

    /// Used slots in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.chunks.iter().flatten();
        entries.filter_map(|entry| Some((entry.key.as_ref()?.as_slice(), entry.value.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &[u8]) -> Entry {
        Entry {
            key: Some(Key::new(key)),
            value: vec![1],
            stamp: 0,
            link: NONE,
        }
    }

    #[test]
    fn freed_slots_are_reused_before_new_ones() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..10_000u32)
            .map(|i| slab.insert(entry(&i.to_be_bytes())))
            .collect();
        assert_eq!(slots, (0..10_000).collect::<Vec<_>>());
        assert!(slab.remove(5000).is_some());
        assert!(slab.remove(5000).is_none());
        assert!(slab.remove(7).is_some());
        assert_eq!(slab.insert(entry(b"a")), 7);
        assert_eq!(slab.insert(entry(b"b")), 5000);
        assert_eq!(slab.insert(entry(b"c")), 10_000);
        assert_eq!(slab.key(5000), b"b");
        assert_eq!(slab.iter().count(), 10_001);
    }
}
