#![doc = include_str!("../README.md")]

mod key_reuse;
mod split_brain;
mod worker;

pub use key_reuse::{Ids, Reuse, key_reuse};
pub use split_brain::{Brains, Defence, Plant, split_brain};
pub use worker::{Worker, late_worker};
