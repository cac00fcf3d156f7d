//! The trace of a run, as a hash: equal hashes mean equal runs.

/// Folds what happened into 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Notes one thing with up to three numbers that tell it apart.
    #[inline]
    pub(crate) fn note(&mut self, what: u64, a: u64, b: u64) {
        let mut hash = self.0 ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ a)
            .wrapping_mul(0xff51_afd7_ed55_8ccd)
            .rotate_left(31);
        hash = (hash ^ b)
            .wrapping_mul(0xc4ce_b9fe_1a85_ec53)
            .rotate_left(27);
        self.0 = hash;
    }

    pub(crate) const fn hash(self) -> u64 {
        self.0
    }
}
