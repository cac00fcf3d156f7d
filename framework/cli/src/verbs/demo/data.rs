//! The data set: drawn from a seed, so that every row can be told again at any time.

use bytes::Bytes;
use repertoire::core::Operation;
use repertoire_sim::Rng;

/// Customers, of whom few have many rows and many have few.
const CUSTOMERS: u64 = 4096;

/// Values take from 2^4 to 2^13 bytes; each doubling is as likely as another.
const SIZES: (u64, u64) = (4, 12);

const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .";

/// The rows of one keyspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
    pub(crate) rows: u64,
}

impl Data {
    /// The key of a row.
    pub(crate) fn key(&self, row: u64) -> Vec<u8> {
        let customer = skewed(&mut self.rng(row, 0), CUSTOMERS);
        format!("customer-{customer:04}/{}-{row:06}", self.name).into_bytes()
    }

    /// The value of a row after so many changes.
    pub(crate) fn value(&self, row: u64, version: u64) -> Vec<u8> {
        let mut rng = self.rng(row, version + 1);
        let least = 1 << rng.between(SIZES.0, SIZES.1);
        let size = usize::try_from(least + rng.below(least)).unwrap_or(0);
        let mut value = Vec::with_capacity(size + 8);
        while value.len() < size {
            let drawn = rng.next_u64().to_le_bytes();
            let letters = drawn
                .iter()
                .filter_map(|byte| LETTERS.get(usize::from(byte % 64)));
            value.extend(letters);
        }
        value.truncate(size);
        value
    }

    /// The operation that writes a row.
    pub(crate) fn put(&self, row: u64, version: u64) -> Bytes {
        let (key, value) = (self.key(row), self.value(row, version));
        Operation::Put {
            key: &key,
            value: &value,
            expires_at: None,
        }
        .encode()
    }

    fn rng(&self, row: u64, purpose: u64) -> Rng {
        Rng::new(self.seed).fork(row).fork(purpose)
    }
}

/// A number below `bound`, as in Zipf's law: each doubling of the rank is as likely as another.
pub(crate) fn skewed(rng: &mut Rng, bound: u64) -> u64 {
    let octaves = u64::from(bound.max(1).ilog2()) + 1;
    loop {
        let first = 1 << rng.below(octaves);
        let rank = first + rng.below(first) - 1;
        if rank < bound.max(1) {
            return rank;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Data = Data {
        seed: 7,
        name: "orders",
        rows: 1000,
    };

    #[test]
    fn rows_can_be_told_again_and_differ() {
        assert_eq!(DATA.value(5, 0), DATA.value(5, 0));
        assert_ne!(DATA.value(5, 0), DATA.value(5, 1));
        let keys: std::collections::BTreeSet<_> = (0..1000).map(|row| DATA.key(row)).collect();
        assert_eq!(keys.len(), 1000);
    }

    #[test]
    fn sizes_are_mixed_within_their_bounds() {
        let sizes: Vec<usize> = (0..2000).map(|row| DATA.value(row, 0).len()).collect();
        assert!(sizes.iter().all(|size| (16..8192).contains(size)));
        assert!(sizes.iter().any(|size| *size < 32) && sizes.iter().any(|size| *size > 4096));
    }

    #[test]
    fn few_ranks_get_much() {
        let mut rng = Rng::new(1);
        let low = (0..10_000).filter(|_| skewed(&mut rng, 4096) < 64).count();
        assert!((3000..7000).contains(&low), "{low}");
    }
}
