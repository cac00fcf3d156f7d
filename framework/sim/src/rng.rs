//! The only source of chance: xoshiro256++ seeded by splitmix64, integers only, so that every
//! platform draws the same numbers.

/// Seeded random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// One step of splitmix64: turns nearby seeds into unrelated numbers.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; 4];
        let mut seed = seed;
        for word in &mut state {
            seed = mix(seed);
            *word = seed;
        }
        Self { state }
    }

    /// An independent generator, so that drawing more in one place changes nothing in another.
    pub fn fork(&mut self, purpose: u64) -> Self {
        Self::new(self.next_u64() ^ mix(purpose))
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let t = b << 17;
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ t, d.rotate_left(45)];
        result
    }

    /// A number below `bound`; zero when `bound` is zero.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high - low).saturating_add(1))
    }

    /// An index below `len`.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True `ppm` times in a million.
    #[inline]
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// True once in `n` times.
    #[inline]
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A number with a mean of about `mean` and an exponential tail.
    #[inline]
    pub fn exponential(&mut self, mean: u64) -> u64 {
        let halvings = u64::from(self.next_u64().leading_zeros());
        // Leading zeros have a mean of 1; the uniform part adds one half.
        let scaled = mean.saturating_mul(2) / 3;
        scaled.saturating_mul(halvings) + self.below(scaled.max(1))
    }

    /// An element of a slice that is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_numbers_and_forks_differ() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(a.fork(1).next_u64(), b.fork(2).next_u64());
    }

    #[test]
    fn the_exponential_has_about_its_mean() {
        let mut rng = Rng::new(1);
        let sum: u64 = (0..100_000).map(|_| rng.exponential(1000)).sum();
        assert!((80_000_000..120_000_000).contains(&sum), "{sum}");
    }
}
