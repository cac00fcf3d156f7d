#![doc = include_str!("../README.md")]

pub mod contract;
mod hub;
mod inbound;
mod transport;

pub use hub::{MemoryHub, OutboxBudgets};
pub use transport::MemoryTransport;
