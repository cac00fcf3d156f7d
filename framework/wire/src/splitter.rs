//! From chunks of a stream to whole frames.

use bytes::{Buf, Bytes};
use repertoire_core::DecodeError;

use crate::error::too_long;
use crate::{FIXED_LEN, LENGTH_LEN, WireError};

/// Bytes reserved for a frame on the word of its length alone; a peer that wants more memory has to
/// send that much first.
const FIRST_RESERVE: usize = 64 * 1024;

/// Cuts a stream into frames. A frame that lies inside one chunk is not copied. Holds at most one
/// partial frame, and never more bytes than the cap allows.
#[derive(Debug)]
pub struct FrameSplitter {
    max: usize,
    length: [u8; LENGTH_LEN],
    length_have: usize,
    frame: Vec<u8>,
    frame_len: usize,
}

impl FrameSplitter {
    /// A splitter for frames whose head, extensions and body have at most `max` bytes.
    pub const fn new(max: usize) -> Self {
        Self {
            max,
            length: [0; LENGTH_LEN],
            length_have: 0,
            frame: Vec::new(),
            frame_len: 0,
        }
    }

    /// Takes the next bytes of the stream and appends the frames they complete to `out`, each
    /// without its length in front.
    ///
    /// # Errors
    /// When a declared length is above the cap or too short. The stream is then beyond repair.
    pub fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), WireError> {
        while let Some(frame) = self.next(&mut chunk)? {
            out.push(frame);
        }
        Ok(())
    }

    /// Takes bytes from the front of `chunk` until one frame is whole; leaves the rest.
    ///
    /// # Errors
    /// When a declared length is above the cap or too short. The stream is then beyond repair.
    pub fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, WireError> {
        while !chunk.is_empty() {
            if self.length_have < LENGTH_LEN {
                self.take_length(chunk)?;
                continue;
            }
            let missing = self.frame_len - self.frame.len();
            if self.frame.is_empty() && chunk.len() >= missing {
                self.length_have = 0;
                return Ok(Some(chunk.split_to(missing)));
            }
            self.take_part(chunk, missing);
            if self.frame.len() == self.frame_len {
                self.length_have = 0;
                return Ok(Some(std::mem::take(&mut self.frame).into()));
            }
        }
        Ok(None)
    }

    /// Whether the stream may end here: no frame is half read.
    pub const fn is_at_boundary(&self) -> bool {
        self.length_have == 0
    }

    fn take_length(&mut self, chunk: &mut Bytes) -> Result<(), WireError> {
        let take = (LENGTH_LEN - self.length_have).min(chunk.len());
        let end = self.length_have + take;
        if let Some(slot) = self.length.get_mut(self.length_have..end) {
            chunk.copy_to_slice(slot);
        }
        self.length_have = end;
        if end < LENGTH_LEN {
            return Ok(());
        }
        let declared = u32::from_le_bytes(self.length);
        let len = usize::try_from(declared).unwrap_or(usize::MAX);
        if len > self.max + FIXED_LEN {
            return Err(too_long("frame", len, self.max + FIXED_LEN));
        }
        if len < FIXED_LEN {
            return Err(DecodeError::Invalid {
                field: "frame length",
                value: declared.into(),
            }
            .into());
        }
        self.frame_len = len;
        Ok(())
    }

    fn take_part(&mut self, chunk: &mut Bytes, missing: usize) {
        let take = missing.min(chunk.len());
        let needed = self.frame.len() + take;
        if needed > self.frame.capacity() {
            let wanted = if needed <= FIRST_RESERVE {
                self.frame_len.min(FIRST_RESERVE)
            } else {
                self.frame_len
            };
            self.frame.reserve_exact(wanted - self.frame.len());
        }
        self.frame.extend_from_slice(&chunk.split_to(take));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::FrameSplitter;

    fn stream(sizes: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut bytes = Vec::new();
        let mut frames = Vec::new();
        for (i, size) in sizes.iter().enumerate() {
            let frame = vec![u8::try_from(i % 251).unwrap(); *size];
            bytes.extend(u32::try_from(*size).unwrap().to_le_bytes());
            bytes.extend(&frame);
            frames.push(frame);
        }
        (bytes, frames)
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let (bytes, frames) = stream(&[22, 100, 23, 70_000, 22, 150_000]);
        for step in [1, 3, 7, 1000, 65_536, bytes.len()] {
            let mut splitter = FrameSplitter::new(200_000);
            let mut out = Vec::new();
            for chunk in bytes.chunks(step) {
                splitter
                    .push(Bytes::copy_from_slice(chunk), &mut out)
                    .unwrap();
            }
            assert!(splitter.is_at_boundary());
            assert_eq!(out, frames, "step {step}");
        }
    }

    #[test]
    fn a_frame_inside_a_chunk_is_not_copied() {
        let (bytes, _) = stream(&[30, 40]);
        let bytes = Bytes::from(bytes);
        let mut out = Vec::new();
        FrameSplitter::new(100)
            .push(bytes.clone(), &mut out)
            .unwrap();
        let range = bytes.as_ptr_range();
        assert!(out.iter().all(|frame| range.contains(&frame.as_ptr())));
    }

    #[test]
    fn lengths_outside_the_cap_end_the_stream() {
        for len in [0_u32, 21, 123, u32::MAX] {
            let mut splitter = FrameSplitter::new(100);
            let bytes = Bytes::copy_from_slice(&len.to_le_bytes());
            assert!(
                splitter.push(bytes, &mut Vec::new()).is_err(),
                "length {len}"
            );
        }
        let mut splitter = FrameSplitter::new(100);
        let longest = Bytes::copy_from_slice(&122_u32.to_le_bytes());
        assert!(splitter.push(longest, &mut Vec::new()).is_ok());
        assert!(!splitter.is_at_boundary());
    }
}
