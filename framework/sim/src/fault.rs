//! Faults: which kinds there are, how often they happen, and what each one does to the world.

pub(crate) mod kind;
mod medium;
pub(crate) mod mix;
pub(crate) mod nemesis;
mod undo;
