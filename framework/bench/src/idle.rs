//! Many keyspaces that nobody uses: what it costs to keep their leaders.

use std::time::{Duration, Instant};

use clap::Args;
use repertoire::{LocalCluster, LocalOptions};
use repertoire_core::{Acks, Descriptor, Error, ErrorKind, KeyspaceId, NodeId};
use serde::Serialize;

use crate::usage::{cpu_seconds, rss_mb};

/// Longest wait until every keyspace has a leader.
const PATIENCE: Duration = Duration::from_secs(120);

const NODES: u64 = 3;

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct IdleOptions {
    /// Keyspaces, each with a replica on each of three nodes in this process, leaders elected.
    #[arg(long, default_value_t = 1000)]
    pub keyspaces: u32,
    /// Seconds of idleness that are measured.
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
}

/// What idleness cost.
#[derive(Clone, Debug, Serialize)]
pub struct IdleReport {
    /// Keyspaces beside the catalogue.
    pub keyspaces: u32,
    /// Seconds measured.
    pub seconds: f64,
    /// Seconds from the start of the cluster until every keyspace had a leader.
    pub elected_seconds: f64,
    /// CPU time of a node, in percent of one core.
    pub cpu_percent_per_node: f64,
    /// The same of a cluster without keyspaces, measured before.
    pub cpu_percent_per_node_without: f64,
    /// Resident memory of one replica, in KiB: what the keyspaces added, by their number and that of
    /// the nodes.
    pub kib_per_replica: f64,
    /// Elections that were won while nobody did anything.
    pub leader_changes: u64,
}

/// Measures a cluster without keyspaces, then one with them.
///
/// # Errors
/// Those of the cluster; `Timeout` when not every keyspace has a leader in two minutes.
pub async fn run(options: IdleOptions) -> Result<IdleReport, Error> {
    let bare = measure(0, options.seconds).await?;
    let full = measure(options.keyspaces, options.seconds).await?;
    let replicas = f64::from(options.keyspaces.max(1)) * 3.0;
    Ok(IdleReport {
        keyspaces: options.keyspaces,
        seconds: options.seconds,
        elected_seconds: full.elected_seconds,
        cpu_percent_per_node: full.cpu_percent,
        cpu_percent_per_node_without: bare.cpu_percent,
        kib_per_replica: (full.rss_mb - bare.rss_mb).max(0.0) * 1024.0 / replicas,
        leader_changes: full.leader_changes,
    })
}

struct Measured {
    elected_seconds: f64,
    cpu_percent: f64,
    rss_mb: f64,
    leader_changes: u64,
}

async fn measure(keyspaces: u32, seconds: f64) -> Result<Measured, Error> {
    let began = Instant::now();
    let described = (1..=keyspaces).map(describe).collect();
    let cluster = LocalCluster::start(LocalOptions::new("idle"), described).await?;
    cluster.ready(PATIENCE).await?;
    let wanted = u64::from(keyspaces) + 1;
    while leaders(&cluster).await?.0 < wanted {
        if began.elapsed() > PATIENCE {
            let detail = "not every keyspace has a leader";
            return Err(Error::new(ErrorKind::Timeout, "elect").with("detail", detail));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let elected_seconds = began.elapsed().as_secs_f64();
    // The first heartbeats, and what the start left behind.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, epochs) = leaders(&cluster).await?;
    let (from, cpu) = (Instant::now(), cpu_seconds(&[]));
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let (cpu, span) = (cpu_seconds(&[]) - cpu, from.elapsed().as_secs_f64());
    let rss_mb = rss_mb(std::process::id());
    let (_, later) = leaders(&cluster).await?;
    cluster.stop().await?;
    Ok(Measured {
        elected_seconds,
        cpu_percent: cpu / span * 100.0 / 3.0,
        rss_mb,
        leader_changes: later.saturating_sub(epochs),
    })
}

fn describe(number: u32) -> Descriptor {
    let nodes: Vec<NodeId> = (1..=NODES).map(NodeId).collect();
    let name = format!("idle-{number}");
    let mut keyspace = Descriptor::single_shard(KeyspaceId(number), name, "single-leader", &nodes);
    keyspace.options.acks = Acks::Majority;
    keyspace.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    keyspace
}

/// Groups that lead, and the sum of their epochs.
async fn leaders(cluster: &LocalCluster) -> Result<(u64, u64), Error> {
    let (mut count, mut epochs) = (0, 0);
    for id in cluster.ids() {
        let status = cluster.node(id)?.handle().status().await?;
        let groups = status.get("groups").and_then(|groups| groups.as_array());
        let of = |group: &serde_json::Value, name: &str| group.get(name).cloned();
        let leads = |group: &&serde_json::Value| of(group, "role") == Some("leader".into());
        for group in groups.into_iter().flatten().filter(leads) {
            count += 1;
            epochs += of(group, "epoch")
                .and_then(|epoch| epoch.as_u64())
                .unwrap_or_default();
        }
    }
    Ok((count, epochs))
}
