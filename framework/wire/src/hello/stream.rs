//! The hello of a one-way stream.

use bytes::Bytes;
use repertoire_core::Class;
use serde::{Deserialize, Serialize};

use super::{MAGIC, check_magic, decode_bare, encode_bare};
use crate::{FrameKind, WireError};

/// The first frame of a one-way stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHello {
    /// What the stream carries.
    pub class: Class,
}

#[derive(Serialize, Deserialize)]
struct StreamHelloHead {
    magic: u32,
    class: u8,
}

impl StreamHello {
    /// The frame, its length in front included.
    pub fn encode(self) -> Bytes {
        let head = StreamHelloHead {
            magic: MAGIC,
            class: self.class as u8,
        };
        encode_bare(FrameKind::StreamHello, &head, None)
    }

    /// Reads a frame (without its length in front).
    ///
    /// # Errors
    /// When the bytes are no stream hello.
    pub fn decode(frame: Bytes) -> Result<Self, WireError> {
        let (head, _): (StreamHelloHead, _) = decode_bare(FrameKind::StreamHello, frame)?;
        check_magic(head.magic)?;
        Ok(Self {
            class: Class::from_byte(head.class)?,
        })
    }
}
