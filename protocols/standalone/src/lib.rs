#![doc = include_str!("../README.md")]

mod config;
mod inspect;
mod message;
mod plugin;
mod read_path;
mod recovery;
mod replica;
mod replication;
mod state;
mod write_path;

pub use config::{Config, NAME};
pub use message::Message;
pub use plugin::{Timer, register};
pub use replica::Standalone;
