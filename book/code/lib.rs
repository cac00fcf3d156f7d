#![doc = include_str!("../README.md")]

pub mod draw;
pub mod produced;
#[path = "../listings/resp.rs"]
pub mod resp;
pub mod session;
pub mod stage;
pub mod stories;
