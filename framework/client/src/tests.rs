//! The client against connections made of channels, under paused time.

mod doubt;
mod expiry;
mod fake;
mod guarantees;
mod leaders;
mod measure;
mod pipelines;
mod sessions;
mod traces;
