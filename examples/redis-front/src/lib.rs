#![doc = include_str!("../README.md")]

mod alone;
mod burst;
pub mod commands;
mod connection;
mod conversation;
mod cursors;
mod database;
mod failures;
mod families;
mod framing;
mod front;
pub mod function;
pub mod glob;
mod info;
pub mod inline;
mod lanes;
mod local;
pub mod members;
pub mod packed;
pub mod reply;
pub mod resp;
mod scans;
mod server;
mod session;
mod transactions;
pub mod value;
mod wait;
pub mod work;

pub use database::{Database, Options};
pub use families::Run;
