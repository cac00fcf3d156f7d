//! Reads at followers.

use std::time::{Duration, Instant};

use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Client, Keyspace};
use repertoire_core::{Acks, Descriptor, Error, ErrorKind, NodeId, ReadLevel};
use tokio::task::JoinSet;

use super::{FollowersOptions, KEYSPACE, NAME, PATIENCE, ReadsReport, times};
use crate::usage::cpu_seconds;

/// Keys that are read.
const KEYS: u32 = 1000;
/// Between two writes beside the reads.
const WRITE_EVERY: Duration = Duration::from_millis(2);
/// Before it counts, connections are made and code is warm.
const WARM_UP: Duration = Duration::from_millis(500);

type Times = hdrhistogram::Histogram<u64>;

pub(super) async fn measure(
    followers: u64,
    options: &FollowersOptions,
) -> Result<ReadsReport, Error> {
    let mut local = LocalOptions::new("followers");
    local.nodes = followers + 1;
    let nodes: Vec<NodeId> = (1..=local.nodes).map(NodeId).collect();
    let mut keyspace = Descriptor::single_shard(KEYSPACE, NAME, "single-leader", &nodes);
    keyspace.options.acks = Acks::Async;
    let cluster = LocalCluster::start(local, vec![keyspace]).await?;
    cluster.ready(PATIENCE).await?;
    let client = Client::builder()
        .address(cluster.address(NodeId(1))?)
        .tls(cluster.client_tls("bench")?)
        .patience(PATIENCE)
        .build()
        .await?;
    let keyspace = client.keyspace(NAME).await?;
    // In the end every follower shows every key.
    for key in 0..KEYS {
        keyspace
            .acks(Acks::Sync)
            .put(key.to_be_bytes(), [0; 100])
            .await?;
    }

    let report = read_all(&keyspace, followers, options).await;
    drop((client, keyspace));
    cluster.stop().await?;
    report
}

async fn read_all(
    keyspace: &Keyspace,
    followers: u64,
    options: &FollowersOptions,
) -> Result<ReadsReport, Error> {
    let began = Instant::now() + WARM_UP;
    let ends = began + Duration::from_secs_f64(options.seconds);
    let mut readers = JoinSet::new();
    for follower in 2..=followers + 1 {
        let at = keyspace.level(ReadLevel::Local).at(NodeId(follower));
        for number in 0..options.readers {
            readers.spawn(read(at.clone(), number, began, ends));
        }
    }
    let writer = tokio::spawn(write(keyspace.clone(), ends));
    tokio::time::sleep_until(began.into()).await;
    let cpu = cpu_seconds(&[]);
    let mut all = times();
    while let Some(read) = readers.join_next().await {
        all.add(read.map_err(died)??).map_err(died)?;
    }
    let (cpu, span) = (cpu_seconds(&[]) - cpu, began.elapsed().as_secs_f64());
    writer.await.map_err(died)??;
    let count = all.len().max(1) as f64;
    Ok(ReadsReport {
        followers,
        reads_per_second: count / span,
        p50_us: all.value_at_quantile(0.5),
        p99_us: all.value_at_quantile(0.99),
        cpu_cores: cpu / span,
        cpu_us_per_read: cpu * 1e6 / count,
    })
}

async fn read(at: Keyspace, number: u32, began: Instant, ends: Instant) -> Result<Times, Error> {
    let mut taken = times();
    let mut key = number;
    loop {
        let from = Instant::now();
        if from >= ends {
            return Ok(taken);
        }
        key = (key + 7) % KEYS;
        let (_, value) = at.get(key.to_be_bytes()).await?;
        if value.is_none() {
            return Err(Error::new(ErrorKind::Unexpected, "read").with("missing", key));
        }
        if from >= began {
            taken.saturating_record(micros(from));
        }
    }
}

async fn write(keyspace: Keyspace, ends: Instant) -> Result<(), Error> {
    let mut every = tokio::time::interval(WRITE_EVERY);
    let mut key = 0;
    while Instant::now() < ends {
        every.tick().await;
        key = (key + 1) % KEYS;
        keyspace.put(u32::to_be_bytes(key), [1; 100]).await?;
    }
    Ok(())
}

pub(super) fn micros(from: Instant) -> u64 {
    u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn died(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unexpected, "measure").with("detail", error)
}
