#![doc = include_str!("../README.md")]

mod check;
mod config;
mod cross;
mod descriptors;
mod digest;
mod error;
mod fields;
mod files;
mod kind;
mod layers;
mod nearest;
mod plugins;
mod render;
mod sample;
mod sections;
mod show;
mod strings;
mod tree;
mod warnings;

pub use config::Config;
pub use error::{ConfigError, ConfigErrors, Origin};
pub use fields::{FieldDoc, fields};
pub use sample::sample;
pub use sections::{
    ClusterConfig, KeyspaceConfig, LimitsConfig, LogConfig, Mtu, NodeConfig, TlsConfig,
    TransportConfig,
};
pub use strings::{FlagDoc, environment, flags};
