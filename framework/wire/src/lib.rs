#![doc = include_str!("../README.md")]

mod bounded;
pub mod client;
mod error;
mod extension;
mod frame;
mod head;
pub mod hello;
mod kind;
mod peer;
mod splitter;
mod trace;

pub use bounded::{BoundedBytes, BoundedStr, BoundedVec};
pub use error::WireError;
pub use extension::{EXTENSIONS_BYTES_MAX, EXTENSIONS_MAX, Extensions};
pub use frame::{ANY_SHARD, Envelope, FIXED_LEN, Frame, LENGTH_LEN, WIRE_VERSION};
pub use head::{decode_head, encode_head};
pub use kind::FrameKind;
pub use peer::{PeerFrame, decode_frame, encode_frame, encode_frame_into, frame_max};
pub use splitter::FrameSplitter;
pub use trace::TRACE;
