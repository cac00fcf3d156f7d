#![doc = include_str!("../README.md")]

pub mod expiry;
pub mod row;

pub use row::{Row, RowOptions};

/// Adds the built-in formats under their names, with default options.
pub fn register(registry: &mut repertoire_core::Registry) {
    registry.format(std::sync::Arc::new(Row::default()));
}
