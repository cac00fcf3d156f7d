//! What followers give to reads, and what a slow one costs writes.

mod acks;
mod reads;

use std::time::Duration;

use clap::Args;
use repertoire::LocalCluster;
use repertoire_client::Client;
use repertoire_core::{Error, KeyspaceId};
use serde::Serialize;

/// Starting nodes takes moments; a loaded machine may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The keyspace of all measurements.
const KEYSPACE: KeyspaceId = KeyspaceId(1);
const NAME: &str = "measured";

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct FollowersOptions {
    /// Numbers of followers to measure reads with, one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    pub followers: Vec<u64>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Readers for each follower, each with one read under way.
    #[arg(long, default_value_t = 32)]
    pub readers: u32,
    /// Writers of the acknowledgement modes, each with one write under way.
    #[arg(long, default_value_t = 8)]
    pub writers: u32,
    /// The slow follower's messages are held back for up to so many milliseconds, by chance, in order.
    #[arg(long, default_value_t = 40)]
    pub slow_ms: u64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct FollowersReport {
    /// Reads at followers, over QUIC, by their number.
    pub reads: Vec<ReadsReport>,
    /// Writes by acknowledgement mode, with two followers of which one is slow.
    pub acks: Vec<AcksReport>,
}

/// Reads at so many followers, with 500 writes a second beside them.
#[derive(Clone, Debug, Serialize)]
pub struct ReadsReport {
    /// Followers, beside the leader.
    pub followers: u64,
    /// Reads a second, of all followers together.
    pub reads_per_second: f64,
    /// Half of the reads took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 % of the reads took no longer, in microseconds.
    pub p99_us: u64,
    /// CPU of nodes and client together, in cores.
    pub cpu_cores: f64,
    /// CPU time of one read, client and writes included, in microseconds.
    pub cpu_us_per_read: f64,
}

/// Writes that ask for so many copies.
#[derive(Clone, Debug, Serialize)]
pub struct AcksReport {
    /// The mode.
    pub acks: String,
    /// Writes a second, of all writers together.
    pub writes_per_second: f64,
    /// Half of the writes took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 % of the writes took no longer, in microseconds.
    pub p99_us: u64,
}

/// Measures both.
///
/// # Errors
/// Those of the cluster, and of any read or write.
pub async fn run(options: FollowersOptions) -> Result<FollowersReport, Error> {
    let mut reads = Vec::new();
    for followers in &options.followers {
        reads.push(reads::measure(*followers, &options).await?);
    }
    let acks = acks::measure(&options).await?;
    Ok(FollowersReport { reads, acks })
}

/// A client inside the process, that reaches every node directly.
async fn embedded(cluster: &LocalCluster) -> Result<Client, Error> {
    let mut builder = Client::builder().patience(PATIENCE);
    for node in cluster.ids() {
        builder = builder.node(cluster.node(node)?.handle().clone());
    }
    builder.build().await
}

/// How long things took, in microseconds, up to a minute.
fn times() -> hdrhistogram::Histogram<u64> {
    hdrhistogram::Histogram::new_with_bounds(1, 60_000_000, 3).expect("these bounds are allowed")
}
