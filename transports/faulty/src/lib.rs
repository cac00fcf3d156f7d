#![doc = include_str!("../README.md")]

mod lanes;
mod plan;
mod sink;
mod transport;

pub use plan::{Direction, FaultCounts, FaultPlan};
pub use transport::FaultyTransport;
