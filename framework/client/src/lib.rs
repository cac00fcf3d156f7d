#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod completion;
mod dialler;
mod driver;
mod embedded;
mod flight;
mod guarantees;
mod hub;
mod keyspace;
mod link;
mod numbering;
mod operator;
mod options;
mod pipeline;
mod random;
mod reads;
mod remote;
pub mod retry;
mod routing;
mod sequence;
mod session;
mod shards;
#[cfg(test)]
mod tests;
mod trace;

pub use builder::ClientBuilder;
pub use client::Client;
pub use completion::Completion;
pub use flight::Written;
pub use guarantees::{ReadPolicy, SAW_RECENTLY, Session, SessionKeyspace, preferred};
pub use keyspace::Keyspace;
pub use operator::{Belonging, Changed, Newcomer, Operator};
pub use options::{DEADLINE, RequestOptions};
pub use pipeline::{Completions, Pipeline};
pub use repertoire_transport_quic::QuicSettings;
pub use repertoire_transport_quic::certs::{TlsFiles, TlsIdentity};
pub use sequence::Sequence;
pub use shards::{PerShard, Rows};
