#![doc = include_str!("../README.md")]

mod builtins;
mod door;
mod local;
mod lock;
mod node;

pub use builtins::registry;
pub use local::{LocalCluster, LocalNetwork, LocalOptions};
pub use node::{
    FormatOptions, Node, NodeOptions, cluster_id_of, format, new_cluster_id, new_token_secret,
};
pub use repertoire_core as core;
pub use repertoire_runtime as runtime;
pub use repertoire_segment_log::Options as LogOptions;
pub use repertoire_transport_faulty::{Direction, FaultPlan, FaultyTransport};
pub use repertoire_transport_quic::{Mtu, OutboxBudgets, QuicSettings, certs};
