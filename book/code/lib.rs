#![doc = include_str!("../README.md")]

pub mod produced;
#[path = "../listings/resp.rs"]
pub mod resp;
pub mod session;
pub mod stories;
