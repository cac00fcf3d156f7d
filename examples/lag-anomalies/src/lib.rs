#![doc = include_str!("../README.md")]

mod anomalies;
mod lab;
mod row;

pub use anomalies::all;
pub use lab::Lab;
pub use row::{Row, table};
