#![doc = include_str!("../README.md")]

mod disk;
mod fault;
mod random;
mod survivors;

pub use disk::FaultyDisk;
pub use fault::{Fault, Odds};
pub use survivors::Survivors;
