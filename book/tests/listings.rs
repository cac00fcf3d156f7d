//! Listings that are tests themselves.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and says why"
)]

#[path = "../listings/torn_tail.rs"]
mod torn_tail;

#[path = "../listings/three_outcomes.rs"]
mod three_outcomes;
