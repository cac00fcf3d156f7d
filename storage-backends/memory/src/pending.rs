//! A queue of rows in blocks, so that neither growing nor draining it moves what is there.

use std::collections::VecDeque;

use repertoire_core::cursor::Cursor;
use repertoire_core::{DecodeError, Space};

/// Bytes of a block; a larger row gets a block of its own.
const BLOCK_LEN: usize = 64 * 1024;

/// Rows, first in first out: `space u8 | key length u32 | value length u32 | key | value`.
#[derive(Debug)]
pub(crate) struct Pending {
    blocks: VecDeque<Vec<u8>>,
    /// Bytes of the first block that were read.
    read: usize,
    bytes: u64,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self {
            blocks: VecDeque::new(),
            read: 0,
            bytes: 0,
        }
    }

    /// Bytes allocated.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, space: Space, key: &[u8], value: &[u8]) {
        let len = 9 + key.len() + value.len();
        let block = match self.blocks.pop_back() {
            Some(last) if last.len() + len <= last.capacity() => last,
            last => {
                self.blocks.extend(last);
                let block = Vec::with_capacity(len.max(BLOCK_LEN));
                self.bytes += block.capacity() as u64;
                block
            }
        };
        self.blocks.push_back(block);
        if let Some(block) = self.blocks.back_mut() {
            block.push(space as u8);
            block.extend_from_slice(&repertoire_core::cursor::len_u32(key).to_le_bytes());
            block.extend_from_slice(&repertoire_core::cursor::len_u32(value).to_le_bytes());
            block.extend_from_slice(key);
            block.extend_from_slice(value);
        }
    }

    /// The oldest row.
    pub(crate) fn front(&self) -> Option<(Space, &[u8], &[u8])> {
        let rest = self.blocks.front()?.get(self.read..)?;
        parse(rest).ok()
    }

    /// Drops the oldest row.
    pub(crate) fn pop(&mut self) {
        let Some((_, key, value)) = self.front() else {
            return;
        };
        self.read += 9 + key.len() + value.len();
        if let Some(block) = self.blocks.front()
            && self.read >= block.len()
        {
            self.bytes -= block.capacity() as u64;
            self.read = 0;
            self.blocks.pop_front();
        }
    }
}

fn parse(bytes: &[u8]) -> Result<(Space, &[u8], &[u8]), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let is_data = cursor.u8("space")? == Space::Data as u8;
    let space = if is_data {
        Space::Data
    } else {
        Space::Replicated
    };
    let key_len = cursor.u32("key")? as usize;
    let value_len = cursor.u32("value")? as usize;
    let key = cursor.bytes(key_len, "key")?;
    Ok((space, key, cursor.bytes(value_len, "value")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_in_order_and_blocks_are_freed() {
        let mut pending = Pending::new();
        let large = vec![7; 2 * BLOCK_LEN];
        for i in 0..3000u32 {
            pending.push(Space::Data, &i.to_be_bytes(), &[1; 100]);
        }
        pending.push(Space::Replicated, b"large", &large);
        for i in 0..3000u32 {
            let key = i.to_be_bytes();
            assert_eq!(
                pending.front(),
                Some((Space::Data, &key[..], &[1; 100][..]))
            );
            pending.pop();
        }
        let last = Some((Space::Replicated, &b"large"[..], large.as_slice()));
        assert_eq!(pending.front(), last);
        pending.pop();
        assert_eq!((pending.front(), pending.bytes()), (None, 0));
    }
}
