//! Chores of the repertoire workspace, run as `cargo xtask <command>`.
//!
//! Two promises. Commands that *check* never write to the tree, so that what you reviewed is what was checked; only
//! [`fix`] and [`book::regenerate`] write. And whatever CI runs can be run here, with the same flags.
//!
//! Read [`tidy`] first (the style of the project as a test), then [`check`] (the list of what CI runs).

pub mod book;
pub mod check;
pub mod failure;
pub mod fix;
pub mod lints;
pub mod metadata;
pub mod output;
pub mod shell;
pub mod soak;
pub mod tidy;
pub mod tree;

pub use failure::{Failure, Result};
