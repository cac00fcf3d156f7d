//! The load: which keys, which values.

use bytes::{Bytes, BytesMut};
use repertoire_core::{Operation, ReadQuery};

/// Bytes of a key.
const KEY_LEN: usize = 16;

/// The keys and values of one client. Clients write disjoint keys, so that the last write of each
/// key is known.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    client: u64,
    keys: u64,
    value: Vec<u8>,
    state: u64,
}

impl Load {
    /// The load of client number `client`, on `keys` keys of its own.
    pub(crate) fn new(client: u64, keys: u64, value_size: usize) -> Self {
        let value = vec![b'v'; value_size.max(16)];
        Self {
            client,
            keys: keys.max(1),
            value,
            state: client.wrapping_mul(0x9E37_79B9) + 1,
        }
    }

    /// The next key's number, uniformly drawn.
    pub(crate) fn draw(&mut self) -> u64 {
        // SplitMix64: cheap, and good enough to spread keys.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % self.keys
    }

    /// How many keys this client has.
    pub(crate) const fn keys(&self) -> u64 {
        self.keys
    }

    /// The key of that number.
    pub(crate) fn key(&self, number: u64) -> [u8; KEY_LEN] {
        let mut key = [b'0'; KEY_LEN];
        let mut rest = (self.client << 40) | number;
        for byte in key.iter_mut().rev() {
            *byte = b"0123456789abcdef"
                .get((rest & 15) as usize)
                .copied()
                .unwrap_or(b'0');
            rest >>= 4;
        }
        key
    }

    /// A write of that key, marked with `mark`, appended to `out` and split off.
    pub(crate) fn put(&mut self, number: u64, mark: u64, out: &mut BytesMut) -> Bytes {
        if let Some(place) = self.value.first_chunk_mut::<8>() {
            *place = mark.to_le_bytes();
        }
        let key = self.key(number);
        Operation::Put {
            key: &key,
            value: &self.value,
            expires_at: None,
        }
        .encode_into(out);
        out.split().freeze()
    }

    /// A read of that key.
    pub(crate) fn get(&self, number: u64) -> ReadQuery {
        ReadQuery::Get(Bytes::copy_from_slice(&self.key(number)))
    }

    /// The mark of a value.
    pub(crate) fn mark(value: &[u8]) -> Option<u64> {
        value
            .first_chunk::<8>()
            .map(|bytes| u64::from_le_bytes(*bytes))
    }
}
