//! Hostile bytes: no decoder panics, none loops, and what is accepted is consistent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use repertoire_wire::{Extensions, FrameSplitter};
use support::{Random, bare, decode_all, samples};

/// Damaged frames per run; a failure names the one that did it.
const DAMAGED: u64 = 200_000;

#[test]
fn damaged_messages_are_refused_or_read() {
    let frames: Vec<Bytes> = samples().iter().map(|(_, bytes)| bare(bytes)).collect();
    let mut refused = 0;
    for seed in 0..DAMAGED {
        let mut random = Random(seed);
        let mut bytes = frames[random.below(frames.len())].to_vec();
        random.damage(&mut bytes);
        if decode_all(&bytes.into()) == 0 {
            refused += 1;
        }
    }
    // Damage to keys and values is not the wire's to notice; most other damage is.
    assert!(
        refused > DAMAGED / 4 && refused < DAMAGED,
        "{refused} refused"
    );
}

#[test]
fn heads_of_one_message_in_another_are_refused_or_read() {
    let frames: Vec<Bytes> = samples().iter().map(|(_, bytes)| bare(bytes)).collect();
    for first in &frames {
        for second in &frames {
            for cut in (0..first.len().min(second.len())).step_by(11) {
                let spliced = [&first[..cut], &second[cut..]].concat();
                decode_all(&spliced.into());
            }
        }
    }
}

#[test]
fn damaged_streams_end_or_go_on() {
    let whole: Vec<u8> = samples()
        .iter()
        .flat_map(|(_, bytes)| bytes.to_vec())
        .collect();
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let start = random.below(whole.len());
        let mut bytes: Vec<u8> = whole[start..].iter().copied().take(600).collect();
        random.damage(&mut bytes);
        let mut splitter = FrameSplitter::new(4096);
        let mut frames = Vec::new();
        let mut rest = Bytes::from(bytes);
        while !rest.is_empty() {
            let chunk = rest.split_to(1 + random.below(rest.len()));
            if splitter.push(chunk, &mut frames).is_err() {
                break;
            }
        }
        for frame in &frames {
            decode_all(frame);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes.into());
    }

    #[test]
    fn arbitrary_parts_behind_a_good_envelope(
        kind in any::<u8>(),
        head in proptest::collection::vec(any::<u8>(), 0..80),
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut bytes = vec![1, kind];
        bytes.extend([0; 16]);
        bytes.extend(u16::try_from(head.len()).unwrap().to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(head);
        bytes.extend(body);
        decode_all(&bytes.into());
    }

    #[test]
    fn arbitrary_extensions_are_refused_or_kept(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let bytes = Bytes::from(bytes);
        if let Ok(list) = Extensions::decode(bytes.clone(), &[]) {
            prop_assert_eq!(list.as_bytes(), &bytes);
            prop_assert!(list.iter().all(|(tag, _, bytes)| list.get(tag) == Some(bytes)));
        }
    }
}
