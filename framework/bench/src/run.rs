//! One measurement.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind};

use crate::load::Load;
use crate::target::Target;
use crate::worker::{Plan, Seen, Worker};
use crate::{BenchOptions, BenchReport, limits, usage, verify};

/// Starts what is to be measured, loads it, reads back, and reports.
///
/// # Errors
/// Those of the cluster and the client.
pub async fn run(options: BenchOptions) -> Result<BenchReport, Error> {
    let target = Target::start(&options).await?;
    let limits = if options.no_limits {
        None
    } else {
        let folder = target.folder().to_owned();
        // It blocks, and has runtimes of its own.
        let measured = tokio::task::spawn_blocking(move || limits::measure(&folder)).await;
        let failed = |e| Error::new(ErrorKind::Unexpected, "measure the limits").with("detail", e);
        Some(measured.map_err(failed)??)
    };
    let children = target.children();
    let warm_until = Instant::now() + Duration::from_secs_f64(options.warm_up.max(0.0));
    let until = warm_until + Duration::from_secs_f64(options.seconds.max(0.1));
    let workers = spawn(&options, target.keyspace(), warm_until, until)?;
    tokio::time::sleep_until(warm_until.into()).await;
    let (cpu, syncs) = (usage::cpu_seconds(&children), target.syncs().await);
    tokio::time::sleep_until(until.into()).await;
    let cpu = usage::cpu_seconds(&children) - cpu;
    let syncs = target.syncs().await.saturating_sub(syncs);
    let mut seen = Vec::new();
    for worker in workers {
        let failed = |e| Error::new(ErrorKind::Unexpected, "load").with("detail", e);
        seen.push(worker.await.map_err(failed)??);
    }
    let alone = options.protocol == "standalone";
    let reader = if alone {
        target.keyspace().clone()
    } else {
        target.follower().await?
    };
    let back = verify::verify(&reader, &seen).await?;
    let peak_rss_mb = usage::peak_rss_mb(&children);
    let report = summarise(options, &seen, cpu, syncs);
    drop(reader);
    target.stop().await?;
    Ok(BenchReport {
        verified: back.good,
        lost: back.bad,
        follower_catch_up_seconds: back.catch_up_seconds,
        peak_rss_mb,
        limits,
        ..report
    })
}

pub(crate) type Running = tokio::task::JoinHandle<Result<Seen, Error>>;

/// Starts the clients that `options` ask for.
pub(crate) fn spawn(
    options: &BenchOptions,
    keyspace: &Keyspace,
    warm_until: Instant,
    until: Instant,
) -> Result<Vec<Running>, Error> {
    let clients = options.clients.clamp(1, options.in_flight.max(1));
    let mut workers = Vec::new();
    for client in 0..clients {
        let share = options.in_flight / clients + usize::from(client < options.in_flight % clients);
        let rate = options.rate.map(|rate| rate.max(1) as f64 / clients as f64);
        let plan = Plan {
            in_flight: share.max(1),
            reads_percent: options.reads,
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            warm_until,
            until,
        };
        let keys = options.keys / clients as u64;
        let load = Load::new(client as u64, keys, options.value_size);
        let worker = Worker::new(keyspace.pipeline(), load, plan);
        let worker = worker
            .map_err(|e| Error::new(ErrorKind::Unexpected, "make a histogram").with("detail", e))?;
        workers.push(tokio::spawn(worker.run()));
    }
    Ok(workers)
}

fn summarise(options: BenchOptions, seen: &[Seen], cpu: f64, syncs: u64) -> BenchReport {
    let mut latency = Histogram::<u64>::new(3).ok();
    for worker in seen {
        if let Some(latency) = &mut latency {
            // Both sides have the same precision, and this one grows.
            let _ = latency.add(&worker.latency_us);
        }
    }
    let quantile = |q: f64| latency.as_ref().map_or(0, |h| h.value_at_quantile(q));
    let done: u64 = seen.iter().map(|worker| worker.done).sum();
    let first_error = seen.iter().find_map(|worker| worker.first_error.as_ref());
    let seconds = options.seconds.max(0.1);
    BenchReport {
        ops_per_second: done as f64 / seconds,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        p999_us: quantile(0.999),
        max_us: latency.as_ref().map_or(0, Histogram::max),
        errors: seen.iter().map(|worker| worker.errors).sum(),
        first_error: first_error.map(ToString::to_string),
        verified: 0,
        lost: 0,
        follower_catch_up_seconds: 0.0,
        cpu_seconds_per_100k_ops: if done == 0 {
            0.0
        } else {
            cpu * 1e5 / done as f64
        },
        peak_rss_mb: 0.0,
        fdatasync_per_second: syncs as f64 / seconds,
        limits: None,
        settings: options,
    }
}
