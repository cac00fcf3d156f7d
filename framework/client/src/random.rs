//! Randomness: names of client sessions, and jitter.

use repertoire_core::{ClientId, Wall};

/// A small generator for jitter, seeded by the operating system. Not for secrets.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the operating system; by the time when that fails.
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        if getrandom::fill(&mut seed).is_err() {
            seed = repertoire_runtime::clock::now().mono.0.to_le_bytes();
        }
        Self(u64::from_le_bytes(seed))
    }

    /// The next number (`SplitMix64`: equidistributed, one multiplication chain, no tables).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A name for a session created at `created`.
    pub(crate) fn client(&mut self, created: Wall) -> ClientId {
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            let (low, high) = (self.next(), self.next());
            random = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
        }
        ClientId::new(created, u128::from_le_bytes(random))
    }
}
