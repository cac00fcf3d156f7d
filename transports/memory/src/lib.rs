#![doc = include_str!("../README.md")]

mod hub;
mod inbound;
mod transport;

pub use hub::{MemoryHub, OutboxBudgets};
pub use transport::MemoryTransport;
