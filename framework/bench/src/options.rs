//! What to measure.

use clap::{Args, ValueEnum};
use repertoire_core::{Acks, Durability};
use serde::Serialize;

/// Copies that a write needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AckMode {
    /// The leader.
    Async,
    /// The leader and `--sync-replicas` followers.
    SemiSync,
    /// Every replica.
    Sync,
    /// More than half.
    Majority,
}

/// The medium that a copy must have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// The process.
    Memory,
    /// The operating system.
    Os,
    /// Stable storage.
    Disk,
}

/// How the nodes talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// QUIC over loopback.
    Quic,
    /// Queues in one process: what is left when the network costs nothing.
    Memory,
}

/// What to measure.
#[derive(Clone, Debug, Args, Serialize)]
pub struct BenchOptions {
    /// How the keyspace replicates.
    #[arg(long, default_value = "single-leader")]
    pub protocol: String,
    /// Copies that a write needs.
    #[arg(long, value_enum, default_value_t = AckMode::SemiSync)]
    pub acks: AckMode,
    /// Followers that `semi-sync` waits for.
    #[arg(long, default_value_t = 1)]
    pub sync_replicas: u8,
    /// The medium that a copy must have reached.
    #[arg(long, value_enum, default_value_t = Medium::Disk)]
    pub durability: Medium,
    /// Requests under way at once, over all clients.
    #[arg(long, default_value_t = 256)]
    pub in_flight: usize,
    /// Clients that share them.
    #[arg(long, default_value_t = 16)]
    pub clients: usize,
    /// Bytes of a value (at least 16).
    #[arg(long, default_value_t = 100)]
    pub value_size: usize,
    /// Distinct keys, of 16 bytes each.
    #[arg(long, default_value_t = 100_000)]
    pub keys: u64,
    /// Reads among the requests, in percent; they ask the leader.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub reads: u8,
    /// Requests per second at a fixed rate (open loop); as many as possible when absent.
    #[arg(long)]
    pub rate: Option<u64>,
    /// How long to measure.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// How long to load before measuring.
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
    /// Where state is kept.
    #[arg(long, default_value = "memory")]
    pub engine: String,
    /// How changes are written down.
    #[arg(long, default_value = "row")]
    pub log_format: String,
    /// How the nodes talk.
    #[arg(long, value_enum, default_value_t = Network::Quic)]
    pub transport: Network,
    /// Nodes as processes of their own, so many, with this process as their client over QUIC.
    #[arg(long, value_name = "NODES", value_parser = clap::value_parser!(u64).range(1..=9))]
    pub processes: Option<u64>,
    /// The `repertoire` command that those processes run; this program by default.
    #[arg(long, value_name = "FILE", requires = "processes")]
    pub program: Option<std::path::PathBuf>,
    /// Largest packet, in bytes; the path's by default.
    #[arg(long)]
    pub mtu: Option<u16>,
    /// Where the nodes keep their data; a temporary folder by default.
    #[arg(long)]
    pub data: Option<std::path::PathBuf>,
    /// Bytes of log after which a snapshot is made; the keyspace's default when absent.
    #[arg(long)]
    pub checkpoint_bytes: Option<u64>,
    /// Bytes of log kept for slow followers; the keyspace's default when absent.
    #[arg(long)]
    pub log_retention_bytes: Option<u64>,
    /// Let the nodes elect their leader, so that another one follows when it fails.
    #[arg(long)]
    pub elect: bool,
    /// A second keyspace, whose writes need the leader's copy only.
    #[arg(skip)]
    #[serde(skip)]
    pub async_too: bool,
    /// Skip the measurement of the machine's limits.
    #[arg(long)]
    pub no_limits: bool,
}

impl BenchOptions {
    /// The core's word for the ack mode.
    pub const fn acks(&self) -> Acks {
        match self.acks {
            AckMode::Async => Acks::Async,
            AckMode::SemiSync => Acks::SemiSync(self.sync_replicas),
            AckMode::Sync => Acks::Sync,
            AckMode::Majority => Acks::Majority,
        }
    }

    /// The core's word for the medium.
    pub const fn medium(&self) -> Durability {
        match self.durability {
            Medium::Memory => Durability::Memory,
            Medium::Os => Durability::Os,
            Medium::Disk => Durability::Disk,
        }
    }
}
