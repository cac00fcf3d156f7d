#![doc = include_str!("../README.md")]

mod api;
mod database;
mod expression;
mod failure;
mod function;
mod item;
mod keys;
mod number;
mod query;
mod schema;
mod server;
mod sigv4;
mod tables;

pub use database::{Database, Options};
pub use sigv4::Credentials;
