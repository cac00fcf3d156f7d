//! The command as its users know it: processes, files, exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: whatever they do not expect is a failure"
)]

mod bench;
mod conventions;
mod crash;
mod data;
mod demo;
mod discarded;
mod failover;
mod impostors;
mod members;
mod mistakes;
mod promote;
mod shards;
mod support;
mod transfer;
