//! A snapshot of a large state, sent while writes go on, to a follower that is killed again and
//! again.

mod transfer;

use std::time::{Duration, Instant};

use clap::Args;
use repertoire_client::{Completions, Keyspace, Pipeline};
use repertoire_core::{Error, ErrorKind};
use serde::Serialize;

use crate::limits::hiccup::{Hiccup, Probe};
use crate::load::Load;
use crate::run::{Running, spawn};
use crate::target::processes::Processes;
use crate::worker::Seen;
use crate::{BenchOptions, usage};
use transfer::Transfer;

/// The node that leads, and the one that receives.
const LEADER: u64 = 1;
const RECEIVER: u64 = 3;

/// Puts in one submission while the keys are made, and submissions under way.
const BATCH: u64 = 2048;
const BATCHES: u64 = 8;

/// How long the load runs before the receiver comes, so that memory has its size.
const SETTLE: Duration = Duration::from_secs(3);

/// How long the leader is watched before the receiver comes.
const BEFORE: Duration = Duration::from_secs(15);

/// What to do.
#[derive(Clone, Debug, Args, Serialize)]
pub struct SnapshotOptions {
    /// The load; its keys are the state.
    #[command(flatten)]
    pub load: BenchOptions,
    /// How often the receiver is killed, at points spread over the transfer.
    #[arg(long, default_value_t = 10)]
    pub kills: u64,
    /// The load during the transfer, in percent of what the cluster can do.
    #[arg(long, default_value_t = 80)]
    pub load_percent: u64,
    /// How long the load goes on.
    #[arg(long, default_value_t = 60.0)]
    pub transfer_seconds: f64,
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SnapshotReport {
    /// Rows of the state.
    pub keys: u64,
    /// Writes a second without a transfer, as many as possible.
    pub peak_per_second: u64,
    /// Writes a second asked for during the transfer.
    pub rate_per_second: u64,
    /// Writes a second acknowledged during the transfer.
    pub done_per_second: f64,
    /// Writes that failed during the transfer.
    pub errors: u64,
    /// 99.9 % of the writes during the transfer were faster. Microseconds.
    pub p999_us: u64,
    /// The longest time for which the leader's Node did nothing else, under the same load with the
    /// receiver away: what the transfer is to be compared with.
    pub leader_stall_before: Stall,
    /// The same during the transfer.
    pub leader_stall: Stall,
    /// The same of the receiver.
    pub receiver_stall: Stall,
    /// The longest time that the machine took meanwhile to let 256 pages be read at random:
    /// stalls of this length are its own.
    pub machine_stall: Stall,
    /// Growth of the leader's resident memory during the transfer, over that under load before. MiB.
    pub leader_extra_mb: f64,
    /// Chunks of the snapshot.
    pub chunks: u64,
    /// Kills that happened during the transfer.
    pub kills: u64,
    /// Most chunks that had arrived before a kill and were not there after it.
    pub chunks_lost_by_a_kill: u64,
    /// Most chunks that arrived after a kill beyond those that were missing.
    pub chunks_too_many: u64,
    /// Seconds from the receiver's first start to its having the whole snapshot.
    pub transfer_seconds: f64,
    /// Seconds from there until it held everything that had been acknowledged when the load ended.
    pub catch_up_seconds: f64,
}

/// The longest turn of a Node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stall {
    /// By the clock on the wall, in milliseconds. It holds what the machine did meanwhile for other
    /// processes and other guests: three nodes and a client that are kept busy share its cores.
    pub wall_ms: f64,
    /// CPU time of the Node's thread, in milliseconds: what the node itself is to blame for. Not
    /// necessarily of the same turn.
    pub cpu_ms: f64,
    /// CPU time of the longest turn in each 20 milliseconds: 99 % of them were shorter.
    pub cpu_ms_p99: f64,
    #[serde(skip)]
    turns: Vec<f64>,
}

impl Stall {
    fn note(&mut self, status: &serde_json::Value) {
        let ms = |name: &str| {
            status
                .get(name)
                .and_then(serde_json::Value::as_f64)
                .unwrap_or(0.0)
                * 1e3
        };
        self.wall_ms = self.wall_ms.max(ms("longest_turn_seconds"));
        let cpu_ms = ms("longest_turn_cpu_seconds");
        self.cpu_ms = self.cpu_ms.max(cpu_ms);
        self.turns.push(cpu_ms);
    }

    fn sum_up(&mut self) {
        self.turns.sort_by(f64::total_cmp);
        let at = self.turns.len() * 99 / 100;
        self.cpu_ms_p99 = self.turns.get(at).copied().unwrap_or(self.cpu_ms);
    }
}

/// Runs the scenario.
///
/// # Errors
/// Those of the nodes and the client; `Timeout` when the receiver does not get there.
pub async fn run(options: SnapshotOptions) -> Result<SnapshotReport, Error> {
    let mut load = options.load.clone();
    load.checkpoint_bytes.get_or_insert(256 << 20);
    // Less than what is written before the receiver comes, so that the log alone does not help it, and
    // enough for what is written while a transfer goes on.
    load.log_retention_bytes.get_or_insert(700 << 20);
    let mut nodes = Processes::start(&load, RECEIVER).await?;
    nodes.kill(RECEIVER);
    let keyspace = nodes.keyspace().clone();
    make_keys(&keyspace, &load).await?;
    let peak = closed_loop(&keyspace, &load).await?;
    let rate = peak * options.load_percent / 100;
    load.rate = Some(rate.max(1));
    let span = Duration::from_secs_f64(options.transfer_seconds) + SETTLE + BEFORE;
    let begin = Instant::now();
    let running = spawn(&load, &keyspace, begin, begin + span)?;
    let mut report = SnapshotReport {
        keys: load.keys,
        peak_per_second: peak,
        rate_per_second: rate,
        ..SnapshotReport::default()
    };
    tokio::time::sleep(SETTLE).await;
    transfer::watch(&nodes, BEFORE, &mut report.leader_stall_before).await?;
    let probe = Probe::start();
    let mut transfer = Transfer::new(&mut nodes, options.kills).await?;
    transfer.until_received(&mut report, begin + span).await?;
    transfer.until(&mut report, begin + span).await?;
    let Hiccup { wall_ms, cpu_ms } = probe.stop();
    report.machine_stall = Stall {
        wall_ms,
        cpu_ms,
        ..Stall::default()
    };
    report.leader_stall_before.sum_up();
    report.leader_stall.sum_up();
    report.receiver_stall.sum_up();
    finish(&mut report, &nodes, running, span).await?;
    nodes.stop();
    Ok(report)
}

/// Puts every key once.
async fn make_keys(keyspace: &Keyspace, options: &BenchOptions) -> Result<(), Error> {
    let clients = options.clients.max(1) as u64;
    let (pipeline, mut completions) = keyspace.pipeline();
    let mut under_way = 0;
    for client in 0..clients {
        let keys = options.keys / clients;
        let mut load = Load::new(client, keys, options.value_size);
        let mut next = 0;
        while next < keys {
            let upto = (next + BATCH).min(keys);
            submit(&pipeline, &mut load, next, upto).await?;
            under_way += upto - next;
            next = upto;
            drain(&mut completions, &mut under_way, BATCH * BATCHES).await?;
        }
    }
    drain(&mut completions, &mut under_way, 0).await
}

async fn submit(pipeline: &Pipeline, load: &mut Load, from: u64, upto: u64) -> Result<(), Error> {
    let mut buffer = bytes::BytesMut::with_capacity(1 << 20);
    let puts = (from..upto).map(|number| load.put(number, 0, &mut buffer));
    pipeline.submit(puts.collect()).await.map(|_| ())
}

/// Waits until at most `left` writes are under way.
async fn drain(completions: &mut Completions, under_way: &mut u64, left: u64) -> Result<(), Error> {
    let mut arrived = Vec::new();
    while *under_way > left {
        completions.next(&mut arrived).await;
        for completion in arrived.drain(..) {
            *under_way = under_way.saturating_sub(completion.count());
            if let repertoire_client::Completion::Failed { error, .. } = completion {
                return Err(*error);
            }
        }
    }
    Ok(())
}

/// As many writes a second as the cluster takes.
async fn closed_loop(keyspace: &Keyspace, options: &BenchOptions) -> Result<u64, Error> {
    let begin = Instant::now() + Duration::from_secs_f64(options.warm_up);
    let span = Duration::from_secs_f64(options.seconds.max(0.1));
    let seen = ended(spawn(options, keyspace, begin, begin + span)?).await?;
    let done: u128 = seen.iter().map(|seen| u128::from(seen.done)).sum();
    Ok(u64::try_from(done * 1000 / span.as_millis()).unwrap_or(u64::MAX))
}

async fn ended(running: Vec<Running>) -> Result<Vec<Seen>, Error> {
    let mut all = Vec::new();
    for worker in running {
        let failed = |e| Error::new(ErrorKind::Unexpected, "load").with("detail", e);
        all.push(worker.await.map_err(failed)??);
    }
    Ok(all)
}

async fn finish(
    report: &mut SnapshotReport,
    nodes: &Processes,
    running: Vec<Running>,
    span: Duration,
) -> Result<(), Error> {
    let seen = ended(running).await?;
    let done: u64 = seen.iter().map(|seen| seen.done).sum();
    report.done_per_second = done as f64 / span.as_secs_f64();
    report.errors = seen.iter().map(|seen| seen.errors).sum();
    let slowest = seen.iter().map(|s| s.latency_us.value_at_quantile(0.999));
    report.p999_us = slowest.max().unwrap_or(0);
    let back = crate::verify::verify(&nodes.follower(), &seen).await?;
    if back.bad > 0 {
        return Err(Error::new(ErrorKind::Unexpected, "read back").with("lost", back.bad));
    }
    report.catch_up_seconds = back.catch_up_seconds;
    Ok(())
}

/// Resident memory of the leader, in MiB.
fn leader_mb(nodes: &Processes) -> f64 {
    nodes.pid(LEADER).map_or(0.0, usage::rss_mb)
}
