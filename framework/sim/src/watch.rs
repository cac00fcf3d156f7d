//! What the harness knows by itself, without asking the product: what each disk holds, what each
//! engine was told to change, what clients wrote.

pub(crate) mod discards;
mod extent;
mod keys;
mod states;
mod tape;

pub(crate) use extent::Extent;
pub(crate) use keys::{Content, KeyId, KeyKind, Stamp};
pub(crate) use states::LogStates;
pub(crate) use tape::{SharedTape, Tape, TapeRecord, WatchedEngine};
