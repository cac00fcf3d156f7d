#![doc = include_str!("../README.md")]

mod codec;
mod config;
mod following;
mod in_flight;
mod inspect;
mod leading;
mod local_log;
mod message;
mod plugin;
mod progress;
mod quorum;
mod read_path;
mod recovery;
mod replica;
mod replication;
mod sending;
mod state;
mod window;
mod write_path;

pub use codec::{AppendHead, Head};
pub use config::{Config, NAME};
pub use message::{Ack, Append, Fenced, Message, Reject, Standing};
pub use plugin::{Timer, register};
pub use replica::SingleLeader;
