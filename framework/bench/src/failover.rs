//! Leaders killed with `kill -9`, one after the other, while a client writes at a steady rate: how long
//! it hears of no acknowledgement, and whether everything acknowledged is there in the end.

mod writer;

use std::time::{Duration, Instant};

use clap::Args;
use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind, ReadLevel};
use serde::Serialize;

use crate::BenchOptions;
use crate::target::processes::Processes;
use writer::Writer;

/// Replicas of the group.
const NODES: u64 = 3;

/// How long writes flow before a leader is killed, and after they flow again.
const STEADY: Duration = Duration::from_secs(1);

/// Longest wait for a leader, and for a node that was started again to follow it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Debug, Args, Serialize)]
pub struct FailoverOptions {
    /// The cluster; `--rate` is the load, 1,000 writes a second by default.
    #[command(flatten)]
    pub load: BenchOptions,
    /// Leaders to kill.
    #[arg(long, default_value_t = 20)]
    pub kills: usize,
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FailoverReport {
    /// Writes a second that were asked for.
    pub rate_per_second: u64,
    /// Leaders killed.
    pub kills: usize,
    /// From the last acknowledgement before each kill to the first one after it, in milliseconds.
    pub unavailable_ms: Vec<f64>,
    /// The middle one, and the longest.
    pub unavailable_ms_median: f64,
    /// See `unavailable_ms_median`.
    pub unavailable_ms_max: f64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that failed or whose fate their client was not told.
    pub not_acknowledged: u64,
    /// Acknowledged writes that are not there in the end.
    pub lost_acknowledged: u64,
}

/// Runs the scenario.
///
/// # Errors
/// Those of the nodes and the client; `Timeout` when no leader is found or a node does not follow.
pub async fn run(options: FailoverOptions) -> Result<FailoverReport, Error> {
    let mut load = options.load;
    load.elect = true;
    let rate = load.rate.unwrap_or(1000).max(1);
    let mut nodes = Processes::start(&load, NODES).await?;
    let keyspace = nodes.keyspace().level(ReadLevel::Leader);
    let writer = Writer::start(&keyspace, rate);
    let mut report = FailoverReport {
        rate_per_second: rate,
        kills: options.kills,
        ..FailoverReport::default()
    };
    for _ in 0..options.kills {
        tokio::time::sleep(STEADY).await;
        let leader = leader(&nodes, None).await?;
        let killed = Instant::now();
        nodes.kill(leader);
        let gap = writer.gap_after(killed, PATIENCE).await?;
        report.unavailable_ms.push(gap.as_secs_f64() * 1e3);
        tokio::time::sleep(STEADY).await;
        nodes.restart(leader)?;
        follows(&nodes, leader).await?;
    }
    let written = writer.stop().await;
    sum_up(&mut report);
    report.not_acknowledged = written.failed;
    report.acknowledged = written.acknowledged.len() as u64;
    report.lost_acknowledged = lost(&keyspace, &written.acknowledged).await?;
    drop(keyspace);
    nodes.stop();
    Ok(report)
}

fn sum_up(report: &mut FailoverReport) {
    let mut sorted = report.unavailable_ms.clone();
    sorted.sort_by(f64::total_cmp);
    report.unavailable_ms_median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    report.unavailable_ms_max = sorted.last().copied().unwrap_or(0.0);
}

/// The node that says that it leads, of those that are not `except`.
async fn leader(nodes: &Processes, except: Option<u64>) -> Result<u64, Error> {
    let found = async {
        loop {
            for id in (1..=NODES).filter(|id| Some(*id) != except) {
                if role(nodes, id).await.as_deref() == Some("leader") {
                    return id;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Error::new(ErrorKind::Timeout, "find the leader");
    tokio::time::timeout(PATIENCE, found).await.map_err(late)
}

/// Waits until a node that was started again holds what its leader held then.
async fn follows(nodes: &Processes, id: u64) -> Result<(), Error> {
    let leader = leader(nodes, Some(id)).await?;
    let goal = applied(nodes, leader).await;
    let caught_up = async {
        while applied(nodes, id).await < goal {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Error::new(ErrorKind::Timeout, "catch up").with("node", id);
    tokio::time::timeout(PATIENCE, caught_up)
        .await
        .map_err(late)
}

/// What a node says of its replica of the bench's keyspace.
async fn group(nodes: &Processes, id: u64) -> Option<serde_json::Value> {
    let status = nodes.status(id).await.ok()?;
    let groups = status.get("groups")?.as_array()?;
    let is_ours = |group: &&serde_json::Value| {
        group.get("keyspace").and_then(serde_json::Value::as_str) == Some(crate::target::NAME)
    };
    groups.iter().find(is_ours).cloned()
}

async fn role(nodes: &Processes, id: u64) -> Option<String> {
    let group = group(nodes, id).await?;
    group.get("role")?.as_str().map(str::to_owned)
}

async fn applied(nodes: &Processes, id: u64) -> u64 {
    let group = group(nodes, id).await.unwrap_or_default();
    let applied = group.get("applied_lsn");
    applied.and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// Acknowledged writes that are not there.
async fn lost(keyspace: &Keyspace, acknowledged: &[u64]) -> Result<u64, Error> {
    let mut lost = 0;
    for number in acknowledged {
        let (_, value) = keyspace.get(writer::key(*number)).await?;
        if value.as_deref() != Some(number.to_be_bytes().as_slice()) {
            lost += 1;
        }
    }
    Ok(lost)
}
