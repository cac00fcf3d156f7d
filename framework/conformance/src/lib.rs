#![doc = include_str!("../README.md")]

pub mod engine;
pub mod log_format;
mod must;
pub mod protocol;
pub mod random;
pub mod transport;

pub use random::Random;
