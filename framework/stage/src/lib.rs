#![doc = include_str!("../README.md")]

pub mod draw;
mod stage;

pub use stage::{Happening, Micros, Place, Stage, Times};
