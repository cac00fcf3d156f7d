#![doc = include_str!("../README.md")]

mod boot;
mod config;
mod head;
mod links;
mod log;
mod message;
#[cfg(test)]
mod planted;
mod reads;
mod replica;
mod simulation;
#[cfg(test)]
mod tests;

pub use config::{Config, NAME};
pub use message::{Forward, Head, Held, Message};
pub use replica::{Chain, Timer};
pub use simulation::{ChainCast, simulate};

/// Adds the protocol to a registry, under [`NAME`].
pub fn register(registry: &mut repertoire_core::Registry) {
    registry.protocol::<Chain>();
}
