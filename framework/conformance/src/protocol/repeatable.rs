//! Steps are functions of state and arguments.

use repertoire_core::{Descriptor, Machine, Protocol, erase};

use super::replica::Kind;
use super::rig::Rig;
use super::trouble::Trouble;
use super::{NamedSeed, typed};

/// The same inputs make the same effects: a replica reads no clock, draws no randomness of its own, and
/// iterates over nothing whose order differs from run to run.
///
/// # Panics
/// When the protocol does otherwise.
pub fn steps_are_functions<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    let told = [(); 2].map(|()| told(typed::<P>(), descriptor, seed));
    compare(&told, "two runs with the same inputs differ");
}

/// A replica whose messages move as bytes does what one does whose messages move as values.
///
/// # Panics
/// When the protocol does otherwise.
pub fn hiding_the_type_changes_nothing<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    let erased = Kind {
        boot: erase::<P>,
        encode: |message| message,
    };
    let told = [
        told(typed::<P>(), descriptor, seed),
        told(erased, descriptor, seed),
    ];
    compare(&told, "messages as values and as bytes make a difference");
}

fn told<M: Machine>(kind: Kind<M>, descriptor: &Descriptor, seed: u64) -> Vec<String> {
    let mut trouble = Trouble::new(Rig::new(kind, descriptor, true), seed);
    trouble.run();
    trouble.rig.told.take().unwrap_or_default()
}

fn compare([first, second]: &[Vec<String>; 2], what: &str) {
    for (index, (first, second)) in first.iter().zip(second).enumerate() {
        assert_eq!(first, second, "{what}, at effect {index}");
    }
    assert_eq!(first.len(), second.len(), "{what}: one does more");
}
