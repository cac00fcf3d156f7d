#![doc = include_str!("../README.md")]

mod buckets;
mod engine;
mod factory;
mod key;
mod leaves;
mod order;
mod pending;
mod reader;
mod rows;
mod slab;
mod snapshot;
mod state;
mod table;

pub use engine::MemoryEngine;
pub use factory::{NAME, factory, factory_with_seed, register, register_with_seed};
