//! Acknowledgement modes beside a slow follower.

use std::time::{Duration, Instant};

use repertoire::{FaultPlan, LocalCluster, LocalNetwork, LocalOptions};
use repertoire_client::Keyspace;
use repertoire_core::{Acks, Descriptor, Error, NodeId};
use tokio::task::JoinSet;

use super::reads::{died, micros};
use super::{AcksReport, FollowersOptions, KEYSPACE, NAME, PATIENCE, embedded, times};

/// The follower whose messages are late.
const SLOW: NodeId = NodeId(3);

type Times = hdrhistogram::Histogram<u64>;

pub(super) async fn measure(options: &FollowersOptions) -> Result<Vec<AcksReport>, Error> {
    let mut local = LocalOptions::new("acks");
    local.network = LocalNetwork::Faulty;
    let nodes: Vec<NodeId> = (1..=local.nodes).map(NodeId).collect();
    let keyspace = Descriptor::single_shard(KEYSPACE, NAME, "single-leader", &nodes);
    let cluster = LocalCluster::start(local, vec![keyspace]).await?;
    cluster.ready(PATIENCE).await?;
    let client = embedded(&cluster).await?;
    let keyspace = client.keyspace(NAME).await?;
    keyspace.acks(Acks::Sync).put("all", "have met").await?;
    cluster.faults(SLOW)?.set_plan(FaultPlan {
        seed: 1,
        delay_per_mille: 1000,
        delay_max: Duration::from_millis(options.slow_ms),
        ..FaultPlan::default()
    });
    let mut reports = Vec::new();
    for acks in [Acks::Async, Acks::SemiSync(1), Acks::Majority, Acks::Sync] {
        reports.push(write_all(&keyspace.acks(acks), acks, options).await?);
    }
    drop((client, keyspace));
    cluster.stop().await?;
    Ok(reports)
}

async fn write_all(
    keyspace: &Keyspace,
    acks: Acks,
    options: &FollowersOptions,
) -> Result<AcksReport, Error> {
    let began = Instant::now();
    let ends = began + Duration::from_secs_f64(options.seconds);
    let mut writers = JoinSet::new();
    for number in 0..options.writers {
        writers.spawn(write(keyspace.clone(), number, ends));
    }
    let mut all = times();
    while let Some(written) = writers.join_next().await {
        all.add(written.map_err(died)??).map_err(died)?;
    }
    Ok(AcksReport {
        acks: acks.to_string(),
        writes_per_second: all.len() as f64 / began.elapsed().as_secs_f64(),
        p50_us: all.value_at_quantile(0.5),
        p99_us: all.value_at_quantile(0.99),
    })
}

async fn write(keyspace: Keyspace, number: u32, ends: Instant) -> Result<Times, Error> {
    let mut taken = times();
    loop {
        let from = Instant::now();
        if from >= ends {
            return Ok(taken);
        }
        keyspace.put(number.to_be_bytes(), [0; 100]).await?;
        taken.saturating_record(micros(from));
    }
}
