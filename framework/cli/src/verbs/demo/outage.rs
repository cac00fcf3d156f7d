//! A follower is stopped while clients write, comes back, and catches up.

use std::collections::BTreeMap;
use std::time::Duration;

use repertoire::LocalCluster;
use repertoire::core::{Acks, Error, ErrorKind};
use serde::Serialize;
use tokio::time::Instant;

use super::Demo;
use super::cast::STOPPED;
use super::load::Load;
use super::stage::Stage;
use super::watch;
use crate::failure::Failure;
use crate::units;

/// Changes before the stop, so that it happens under load.
const WARM_UP: u64 = 500;

/// Longest wait for changes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A synchronous write is watched for at least this long before the demo says that it waits.
const SYNC_WAIT: Duration = Duration::from_millis(500);

/// What the catch-up took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct CatchUp {
    /// Records that the node had missed.
    pub(crate) records: u64,
    /// From the start of the node until it had applied what the others had by then.
    pub(crate) seconds: f64,
    /// Of this, reading its own log and joining the others.
    pub(crate) restart_seconds: f64,
}

/// Plays it.
pub(crate) async fn play(demo: &mut Demo, stage: &mut Stage) -> Result<CatchUp, Failure> {
    stage.say(&format!("Clients change rows of {}.", busy(demo)));
    let scenes = demo.scenes.iter_mut();
    let load = Load::begin(
        scenes.filter(|scene| scene.part.survives_an_outage()),
        demo.seed,
    );
    progressed(&load, WARM_UP).await?;

    stage.say(&format!("Stopping {STOPPED} under load …"));
    demo.cluster.stop_node(STOPPED).await?;
    let stopped_at = (Instant::now(), load.written());
    let waiting = write_synchronously(demo)?;
    progressed(&load, load.written() + demo.rows / 6).await?;
    tokio::time::sleep_until(stopped_at.0 + SYNC_WAIT).await;
    let (away, missed) = (stopped_at.0.elapsed(), load.written() - stopped_at.1);
    stage.check(
        "writes_go_on",
        true,
        format!(
            "{} writes acknowledged in {} without {STOPPED} ({} a second)",
            units::count(missed),
            units::span(away),
            units::rate(missed, away),
        ),
    );
    let waits = !waiting.is_finished();
    let verdict = if waits {
        "waits, as promised"
    } else {
        "did not wait for it"
    };
    stage.check(
        "sync_waits",
        waits,
        format!("accounts: a write that needs every node {verdict}"),
    );

    stage.say(&format!("Starting {STOPPED} again; the load goes on …"));
    let catch_up = restart(&mut demo.cluster).await?;
    stage.check(
        "catch_up",
        true,
        format!(
            "{STOPPED} caught up with {} records in {:.2} s ({:.2} s of it to restart)",
            units::count(catch_up.records),
            catch_up.seconds,
            catch_up.restart_seconds,
        ),
    );
    let copies = waiting
        .await
        .map_err(|e| Failure::failed(e.to_string()))??;
    let is_everywhere = copies == 3;
    let told = format!("accounts: the waiting write was acknowledged with {copies} copies");
    stage.check("sync_acknowledged", is_everywhere, told);
    let written = load.end(&mut demo.scenes).await?;
    let told = format!("{} changes in all, none failed", units::count(written));
    stage.check("no_write_failed", true, told);
    Ok(catch_up)
}

fn busy(demo: &Demo) -> String {
    let scenes = demo
        .scenes
        .iter()
        .filter(|scene| scene.part.survives_an_outage());
    let names: Vec<&str> = scenes.map(|scene| scene.part.name).collect();
    names.join(", ")
}

/// Writes a row to the keyspace that needs every node.
fn write_synchronously(
    demo: &mut Demo,
) -> Result<tokio::task::JoinHandle<Result<u8, Error>>, Failure> {
    let mut scenes = demo.scenes.iter_mut();
    let scene = scenes.find(|scene| scene.part.acks == Acks::Sync);
    let scene = scene.ok_or_else(|| Failure::failed("no keyspace is synchronous"))?;
    scene.extra += 1;
    let keyspace = scene.keyspace.clone();
    Ok(tokio::spawn(async move {
        let written = keyspace.put("waits-for-everyone", "here").await?;
        Ok(written.ack.copies)
    }))
}

async fn restart(cluster: &mut LocalCluster) -> Result<CatchUp, Error> {
    let goal = watch::ends(cluster).await?;
    let began = Instant::now();
    cluster.start_node(STOPPED).await?;
    let restart = began.elapsed();
    let found = watch::reach(cluster, STOPPED).await?;
    watch::applied(cluster, STOPPED, &goal).await?;
    Ok(CatchUp {
        records: missing(&found, &goal),
        seconds: began.elapsed().as_secs_f64(),
        restart_seconds: restart.as_secs_f64(),
    })
}

fn missing(found: &BTreeMap<String, watch::Reach>, goal: &BTreeMap<String, u64>) -> u64 {
    let missing = |(name, reach): (&String, &watch::Reach)| {
        goal.get(name)
            .map_or(0, |goal| goal.saturating_sub(reach.last))
    };
    found.iter().map(missing).sum()
}

/// Waits until so many changes were acknowledged.
async fn progressed(load: &Load, goal: u64) -> Result<(), Error> {
    let progressed = async {
        while load.written() < goal && !load.is_broken() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let late = |_| {
        Error::new(ErrorKind::Timeout, "change rows")
            .with("acknowledged", load.written())
            .with("expected", goal)
    };
    tokio::time::timeout(PATIENCE, progressed)
        .await
        .map_err(late)
}
