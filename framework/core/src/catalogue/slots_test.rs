//! The slot of a key is on disk and on the wire: it must be the same for ever.

use proptest::prelude::*;

use super::*;

/// Keys and their slots, written down once. A change here would lose every key of every sharded
/// keyspace there is: never change a number, only add keys.
const GOLDEN: [(&[u8], u16); 12] = [
    (b"", 1_218),
    (b"a", 3_615),
    (b"alice", 1_712),
    (b"user-7", 1_342),
    (b"{user-7}", 1_342),
    (b"{user-7}.name", 1_342),
    (b"mail.{user-7}", 1_342),
    (b"{}", 3_094),
    (b"{", 3_358),
    (b"}{", 3_430),
    (b"{{user-7}}", 3_152),
    (b"\x00\xff\x80", 3_459),
];

#[test]
fn slots_are_what_they_always_were() {
    let found = GOLDEN.map(|(key, _)| (key, slot_of(key)));
    assert_eq!(found, GOLDEN);
}

#[test]
fn twenty_thousand_keys_spread_evenly_over_eight_shards() {
    const KEYS: u32 = 20_000;
    for name in ["user", "order-2026-11-", "{"] {
        let map = SlotMap::even(8);
        let mut held = [0_u32; 8];
        for number in 0..KEYS {
            held[map.shard_of(format!("{name}{number}").as_bytes()).0 as usize] += 1;
        }
        // Six standard deviations of a fair draw: √(20000 · ⅛ · ⅞) ≈ 47.
        let fair = KEYS / 8;
        assert!(
            held.iter().all(|keys| keys.abs_diff(fair) < 6 * 47),
            "{name}: {held:?}"
        );
    }
}

/// The rule, said a second time and another way: the bytes between the first `{` and the first `}`
/// behind it, if there are any; else the whole key.
fn hashed_part(key: &[u8]) -> &[u8] {
    let mut parts = key.splitn(2, |byte| *byte == b'{');
    let _before = parts.next();
    let Some(after) = parts.next() else {
        return key;
    };
    match after.split(|byte| *byte == b'}').next() {
        Some(tag) if !tag.is_empty() && tag.len() < after.len() => tag,
        _ => key,
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'{'), Just(b'}'), Just(b'a'), any::<u8>()];
    proptest::collection::vec(byte, 0..24)
}

proptest! {
    #[test]
    fn a_slot_is_the_hash_of_the_tag_or_of_the_key(key in key()) {
        let expected = xxhash_rust::xxh3::xxh3_64(hashed_part(&key)) & 4095;
        prop_assert_eq!(u64::from(slot_of(&key)), expected);
    }

    #[test]
    fn every_slot_has_one_owner_and_owners_ascend(shards in 1_u32..=4096) {
        let map = SlotMap::even(shards);
        let owners: Vec<u32> = (0..SLOTS).map(|slot| map.shard_of_slot(slot).0).collect();
        prop_assert_eq!((owners[0], owners[4095]), (0, shards - 1));
        prop_assert!(owners.windows(2).all(|pair| pair[1] - pair[0] <= 1));
    }

    #[test]
    fn whatever_shares_a_tag_shares_a_slot(
        tag in "[a-z0-9]{1,12}", one in "[a-z.]{0,8}", other in "[a-z.}]{0,8}",
    ) {
        let (one, other) = (format!("{one}{{{tag}}}{other}"), format!("{{{tag}}}"));
        prop_assert_eq!(slot_of(one.as_bytes()), slot_of(other.as_bytes()));
        prop_assert_eq!(slot_of(tag.as_bytes()), slot_of(other.as_bytes()));
    }
}
