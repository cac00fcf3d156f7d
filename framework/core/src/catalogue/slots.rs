//! Keys map to slots, slots to shards.

use serde::{Deserialize, Serialize};

use crate::ShardId;

/// Slots of every keyspace: a power of two, fixed for ever, so that a key's slot never changes.
pub const SLOTS: u16 = 4096;

/// The slot of a key: by the hash of its `{tag}` when it has one, so that causally related keys
/// can be kept together; else by the hash of the whole key.
///
/// ```
/// use repertoire_core::slot_of;
/// assert_eq!(slot_of(b"{user-7}.name"), slot_of(b"{user-7}.mail"));
/// ```
pub fn slot_of(key: &[u8]) -> u16 {
    let hash = xxhash_rust::xxh3::xxh3_64(tag_of(key).unwrap_or(key));
    // The remainder is below 4096.
    u16::try_from(hash % u64::from(SLOTS)).unwrap_or_default()
}

fn tag_of(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let inside = key.get(open + 1..)?;
    let close = inside.iter().position(|byte| *byte == b'}')?;
    inside.get(..close).filter(|tag| !tag.is_empty())
}

/// Slot → shard, as ranges: shard `shards[i]` owns slots from `starts[i]` to the next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotMap {
    ranges: Vec<(u16, ShardId)>,
}

impl Default for SlotMap {
    /// Everything in shard 0.
    fn default() -> Self {
        Self {
            ranges: vec![(0, ShardId(0))],
        }
    }
}

impl SlotMap {
    /// Spreads the slots evenly over `shards` shards (at least one, at most [`SLOTS`]).
    pub fn even(shards: u32) -> Self {
        let shards = shards.clamp(1, SLOTS.into());
        let start = |shard: u32| u16::try_from(u32::from(SLOTS) * shard / shards).unwrap_or(SLOTS);
        Self {
            ranges: (0..shards)
                .map(|shard| (start(shard), ShardId(shard)))
                .collect(),
        }
    }

    /// Whether one shard owns everything.
    pub fn is_whole(&self) -> bool {
        self.ranges.len() <= 1
    }

    /// The shard that owns a slot.
    pub fn shard_of_slot(&self, slot: u16) -> ShardId {
        let after = self.ranges.partition_point(|(start, _)| *start <= slot);
        self.ranges
            .get(after.saturating_sub(1))
            .map_or(ShardId(0), |(_, shard)| *shard)
    }

    /// The shard that owns a key.
    pub fn shard_of(&self, key: &[u8]) -> ShardId {
        self.shard_of_slot(slot_of(key))
    }
}

#[cfg(test)]
#[path = "slots_test.rs"]
mod contract;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_maps_give_every_shard_its_share() {
        for shards in [1, 2, 3, 7, 16] {
            let map = SlotMap::even(shards);
            let mut owned = vec![0; shards as usize];
            for slot in 0..SLOTS {
                owned[map.shard_of_slot(slot).0 as usize] += 1;
            }
            let (least, most) = (owned.iter().min(), owned.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{owned:?}");
        }
    }

    #[test]
    fn an_empty_tag_is_no_tag() {
        assert_ne!(slot_of(b"{}a"), slot_of(b"{}b"));
    }
}
