#![doc = include_str!("../README.md")]

mod amnesia;
mod codec;
mod config;
mod discards;
mod election;
mod electorate;
mod following;
mod freshness;
mod in_flight;
mod inspect;
mod leading;
mod lease;
mod local_log;
mod membership;
mod message;
mod plugin;
mod progress;
mod promote;
mod quiescence;
mod quorum;
mod read_path;
mod recovery;
mod replica;
mod replication;
mod roll;
mod sending;
mod state;
mod transfer;
mod voting;
mod window;
mod write_path;

pub use codec::{AppendHead, Head};
pub use config::{Config, Failover, NAME};
pub use message::{
    Ack, Append, Fenced, Heard, Message, Quiesce, RecoveryAnswer, RecoveryRequest, Reject, Stage,
    Standing, TakeOver, Vote, VoteRequest, Welcome,
};
pub use plugin::{Timer, register};
pub use replica::SingleLeader;
