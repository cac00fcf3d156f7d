//! The engine as a plug-in.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use repertoire_core::{EngineFactory, Registry};

use crate::MemoryEngine;

/// The name in configuration files.
pub const NAME: &str = "memory";

/// Makes engines with a hash seed drawn at random for this process.
pub fn factory() -> EngineFactory {
    factory_with_seed(RandomState::new().hash_one(NAME))
}

/// Makes engines with a given hash seed.
pub fn factory_with_seed(hash_seed: u64) -> EngineFactory {
    Arc::new(move |_| Ok(Box::new(MemoryEngine::new(hash_seed))))
}

/// Adds [`factory`] under [`NAME`].
pub fn register(registry: &mut Registry) {
    registry.engine(NAME, factory());
}

/// Adds [`factory_with_seed`] under [`NAME`]: for simulations.
pub fn register_with_seed(registry: &mut Registry, hash_seed: u64) {
    registry.engine(NAME, factory_with_seed(hash_seed));
}
