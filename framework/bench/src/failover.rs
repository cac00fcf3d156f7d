//! Leaders killed with `kill -9`, one after the other, while a client writes at a steady rate: how long
//! it hears of no acknowledgement, and whether everything acknowledged is there in the end.

mod checks;
mod writer;

use std::time::{Duration, Instant};

use clap::{Args, FromArgMatches as _};
use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind, ReadLevel};
use serde::Serialize;

use crate::BenchOptions;
use crate::target::processes::Processes;
use writer::Writer;

/// Replicas of the group.
const NODES: u64 = 3;

/// Bytes of a value of the second keyspace: more of them in `HOLD` than sockets take for nodes that do
/// not read.
const ASYNC_BYTES: usize = 1024;

/// How long the followers are held before their leader is killed, when losses are to be seen: on one
/// machine they are so close behind it that it takes many kills to lose a write. Short beside the election
/// timeout, because nobody hears an acknowledgement meanwhile.
const HOLD: Duration = Duration::from_millis(100);

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
    /// Seconds that writes flow before a leader is killed, and after they flow again.
    #[arg(long, default_value_t = 1.0)]
    pub steady: f64,
    /// Write as often to a second keyspace, too, which acknowledges with the leader's copy alone. Nodes
    /// that lead both are killed, a moment after their followers were held: what was on its way then is
    /// lost with them.
    #[arg(long)]
    pub async_too: bool,
}

impl Default for FailoverOptions {
    /// What a command line without flags means.
    fn default() -> Self {
        let command = Self::augment_args(clap::Command::new("failover"));
        let matches = command.get_matches_from(["failover"]);
        Self::from_arg_matches(&matches).expect("no flag is required")
    }
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FailoverReport {
    /// Writes a second that were asked for.
    pub rate_per_second: u64,
    /// Leaders killed.
    pub kills: usize,
    /// The nodes that they were.
    pub killed: Vec<u64>,
    /// From the last acknowledgement before each kill to the first one after it, in milliseconds.
    pub unavailable_ms: Vec<f64>,
    /// The middle one, and the longest.
    pub unavailable_ms_median: f64,
    /// See `unavailable_ms_median`.
    pub unavailable_ms_max: f64,
    /// What became of the writes.
    #[serde(flatten)]
    pub writes: WritesReport,
    /// What became of those of the second keyspace.
    #[serde(rename = "async", skip_serializing_if = "Option::is_none")]
    pub async_writes: Option<WritesReport>,
}

/// What became of the writes to a keyspace, after every killed node was started again and has caught up.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WritesReport {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that failed or whose fate their client was not told.
    pub not_acknowledged: u64,
    /// Acknowledged writes that are not there in the end.
    pub lost_acknowledged: u64,
    /// Their keys; each write has a key of its own.
    pub lost_keys: Vec<String>,
    /// How many of those some node lists as discarded, for somebody to decide about.
    pub lost_listed: u64,
    /// Whether full scans on all nodes have the same digest.
    pub digests_equal: bool,
}

/// What is written to a keyspace.
struct Load {
    keyspace: Keyspace,
    /// Writes a second.
    rate: u64,
    /// Of a value.
    bytes: usize,
}

impl Load {
    fn name(&self) -> String {
        self.keyspace.descriptor().name.clone()
    }
}

/// Runs the scenario.
///
/// # Errors
/// Those of the nodes and the client; `Timeout` when no leader is found, no write is acknowledged after a
/// kill, or a node does not follow.
pub async fn run(options: FailoverOptions) -> Result<FailoverReport, Error> {
    let mut load = options.load;
    load.elect = true;
    load.async_too = options.async_too;
    let rate = load.rate.unwrap_or(1000).max(1);
    let steady = Duration::try_from_secs_f64(options.steady).unwrap_or_default();
    let mut nodes = Processes::start(&load, NODES).await?;
    let mut loads = vec![Load {
        keyspace: nodes.keyspace().level(ReadLevel::Leader),
        rate,
        bytes: load.value_size,
    }];
    if options.async_too {
        loads.push(Load {
            keyspace: nodes.async_keyspace().await?.level(ReadLevel::Leader),
            rate,
            bytes: ASYNC_BYTES,
        });
    }
    all_follow(&nodes, &loads).await?;
    leader_of_all(&nodes, &loads).await?;
    let writers: Vec<Writer> = loads.iter().map(Writer::start).collect();
    let mut report = FailoverReport {
        rate_per_second: rate,
        ..FailoverReport::default()
    };
    for _ in 0..options.kills {
        tokio::time::sleep(steady).await;
        let leader = leader_of_all(&nodes, &loads).await?;
        if options.async_too {
            kill_ahead(&mut nodes, leader).await;
        } else {
            nodes.kill(leader);
        }
        let killed = Instant::now();
        let mut gaps = Vec::new();
        for writer in &writers {
            gaps.push(writer.gap_after(killed, PATIENCE).await?);
        }
        report.add_kill(leader, gaps.first().copied().unwrap_or_default());
        tokio::time::sleep(steady).await;
        start_again(&mut nodes, leader, &loads).await?;
    }
    let mut found = Vec::new();
    for (writer, load) in writers.into_iter().zip(&loads) {
        let written = writer.stop().await;
        found.push(checks::all(load, &written, &nodes).await?);
    }
    let mut found = found.into_iter();
    report.writes = found.next().unwrap_or_default();
    report.async_writes = found.next();
    drop(loads);
    nodes.stop();
    Ok(report)
}

impl FailoverReport {
    fn add_kill(&mut self, leader: u64, gap: Duration) {
        self.kills += 1;
        self.killed.push(leader);
        self.unavailable_ms.push(gap.as_secs_f64() * 1e3);
        let mut sorted = self.unavailable_ms.clone();
        sorted.sort_by(f64::total_cmp);
        self.unavailable_ms_median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        self.unavailable_ms_max = sorted.last().copied().unwrap_or(0.0);
    }
}

/// Kills a leader that is ahead of its followers.
async fn kill_ahead(nodes: &mut Processes, leader: u64) {
    let followers = || (1..=NODES).filter(|id| *id != leader);
    followers().for_each(|id| nodes.hold(id));
    tokio::time::sleep(HOLD).await;
    nodes.kill(leader);
    followers().for_each(|id| nodes.release(id));
}

/// Waits until every node holds a replica of every keyspace. The leader of the catalogue is fixed, so a
/// node that has not heard of a keyspace when that one dies does not vote before it is back.
async fn all_follow(nodes: &Processes, loads: &[Load]) -> Result<(), Error> {
    for load in loads {
        let leader = leader(nodes, &load.name(), None).await?;
        for id in (1..=NODES).filter(|id| *id != leader) {
            follows(nodes, &load.name(), id).await?;
        }
    }
    Ok(())
}

/// The node that leads all of the keyspaces. Each elects for itself: where they differ, the leader of
/// the first one is handed the others.
async fn leader_of_all(nodes: &Processes, loads: &[Load]) -> Result<u64, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut leaders = Vec::new();
        for load in loads {
            leaders.push((load.name(), leader(nodes, &load.name(), None).await?));
        }
        let first = leaders.first().map_or(1, |(_, leader)| *leader);
        let others: Vec<_> = leaders.iter().filter(|(_, led)| *led != first).collect();
        if others.is_empty() {
            return Ok(first);
        }
        if Instant::now() >= until {
            return Err(Error::new(ErrorKind::Timeout, "find a leader of all"));
        }
        for (name, from) in others {
            // One that cannot hand over just now is asked again.
            let _answer = nodes.transfer(name, *from, first).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a node that was killed, once the others have a leader, and waits until it holds what that one
/// held then.
async fn start_again(nodes: &mut Processes, id: u64, loads: &[Load]) -> Result<(), Error> {
    for load in loads {
        leader(nodes, &load.name(), Some(id)).await?;
    }
    nodes.restart(id)?;
    for load in loads {
        follows(nodes, &load.name(), id).await?;
    }
    Ok(())
}

/// The node that says that it leads, of those that are not `except`.
async fn leader(nodes: &Processes, keyspace: &str, except: Option<u64>) -> Result<u64, Error> {
    let found = async {
        loop {
            for id in (1..=NODES).filter(|id| Some(*id) != except) {
                if role(nodes, keyspace, id).await.as_deref() == Some("leader") {
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
async fn follows(nodes: &Processes, keyspace: &str, id: u64) -> Result<(), Error> {
    let leader = leader(nodes, keyspace, Some(id)).await?;
    let goal = applied(nodes, keyspace, leader).await;
    let caught_up = async {
        while applied(nodes, keyspace, id).await < goal {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Error::new(ErrorKind::Timeout, "catch up").with("node", id);
    tokio::time::timeout(PATIENCE, caught_up)
        .await
        .map_err(late)
}

/// What a node says of its replica of a keyspace.
async fn group(nodes: &Processes, keyspace: &str, id: u64) -> Option<serde_json::Value> {
    let status = nodes.status(id).await.ok()?;
    let groups = status.get("groups")?.as_array()?;
    let is_ours = |group: &&serde_json::Value| {
        group.get("keyspace").and_then(serde_json::Value::as_str) == Some(keyspace)
    };
    groups.iter().find(is_ours).cloned()
}

async fn role(nodes: &Processes, keyspace: &str, id: u64) -> Option<String> {
    let group = group(nodes, keyspace, id).await?;
    group.get("role")?.as_str().map(str::to_owned)
}

async fn applied(nodes: &Processes, keyspace: &str, id: u64) -> u64 {
    let group = group(nodes, keyspace, id).await.unwrap_or_default();
    let applied = group.get("applied_lsn");
    applied.and_then(serde_json::Value::as_u64).unwrap_or(0)
}
