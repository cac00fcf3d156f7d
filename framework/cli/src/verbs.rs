//! The verbs, one file each.

pub(crate) mod bench;
pub(crate) mod cert;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod count;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod discarded;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod keyspace;
pub(crate) mod man;
pub(crate) mod member;
pub(crate) mod nodes;
pub(crate) mod promote;
pub(crate) mod put;
pub(crate) mod scan;
pub(crate) mod serve;
mod signal;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod transfer;
