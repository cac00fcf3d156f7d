//! The four actors. Each file is one actor: what it owns, what it is told, what it tells.

pub(crate) mod log;
pub(crate) mod node;
pub(crate) mod resolver;
pub(crate) mod storage;
pub(crate) mod transport;
