//! What replicas say, and the timers they set.

use repertoire_core::{Descriptor, Encoded, Protocol, TimerKey, WireMessage};

use super::rig::Rig;
use super::trouble::Trouble;
use super::{NamedSeed, typed};
use crate::Random;
use crate::must::must;

/// Damaged copies made of each message.
const COPIES: usize = 12;

fn ran<P: Protocol>(descriptor: &Descriptor, seed: u64) -> Rig<P> {
    let mut trouble = Trouble::new(Rig::new(typed::<P>(), descriptor, false), seed);
    trouble.run();
    trouble.rig
}

/// Every message that is said in a run comes back from its bytes as it was, class included.
///
/// # Panics
/// When the protocol does otherwise.
pub fn messages_survive_the_wire<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    for said in ran::<P>(descriptor, seed).heard {
        let message = must(
            P::Message::decode(said.clone()),
            "decoding what a replica said",
        );
        assert_eq!(message.class(), said.class, "another class after decoding");
        assert_eq!(message.encode(), said, "other bytes after decoding");
    }
}

/// Truncated, extended and damaged messages decode to an error or to another message; nothing panics.
///
/// # Panics
/// When the protocol does otherwise.
pub fn damaged_messages_are_no_danger<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    let mut random = Random::new(seed);
    for said in ran::<P>(descriptor, seed).heard {
        let extended = [&said.head[..], &[0]].concat();
        let longer = Encoded {
            head: extended.into(),
            ..said.clone()
        };
        let is_refused = P::Message::decode(longer).is_err();
        assert!(is_refused, "a head with a byte too many is taken: {said:?}");
        for _ in 0..COPIES {
            // Whatever comes of it is fine, as long as it comes back.
            drop(P::Message::decode(damaged(&said, &mut random)));
        }
    }
}

fn damaged(said: &Encoded, random: &mut Random) -> Encoded {
    let (mut head, mut body) = (said.head.to_vec(), said.body.to_vec());
    let part = if random.chance(60) {
        &mut head
    } else {
        &mut body
    };
    if random.chance(40) {
        part.truncate(random.below(part.len()));
    }
    for _ in 0..random.below(4) {
        let index = random.below(part.len());
        if let Some(byte) = part.get_mut(index) {
            *byte ^= 1 << random.below(8);
        }
    }
    Encoded {
        class: said.class,
        head: head.into(),
        body: body.into(),
    }
}

/// The timers that are set in a run map to their numbers and back; other numbers are no timer.
///
/// # Panics
/// When the protocol does otherwise.
pub fn timers_have_numbers<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    for key in ran::<P>(descriptor, seed).timer_keys {
        let back = P::Timer::from_key(key).map(TimerKey::to_key);
        assert_eq!(back, Some(key), "timer {key} was set, and is none");
    }
    let is_none = P::Timer::from_key(u64::MAX).is_none();
    assert!(is_none, "a number that was never given out is a timer");
}
