//! `demo`: a cluster on loopback, told as it plays.

mod agreement;
mod cast;
mod data;
mod exactly_once;
mod keep;
mod leader_dies;
mod load;
mod outage;
mod read_back;
mod report;
mod scene;
mod stage;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::Client;
use tokio::time::Instant;

use crate::Context;
use crate::failure::{FAILURE, Failure};
use crate::units;
use crate::verbs::signal;

use cast::CAST;
use report::{Report, Seen};
use scene::Scene;
use stage::Stage;

/// The whole demo ends by then, whatever happens.
const PATIENCE: Duration = Duration::from_mins(2);

/// Longest time for one request: nodes of a demo share the machine with everything else.
const DEADLINE: Duration = Duration::from_secs(30);

/// On loopback a node answers at once or is not there.
const DIAL_TIMEOUT: Duration = Duration::from_millis(300);

/// A node that comes back is found again after this long at most.
const RECONNECT_MAX: Duration = Duration::from_millis(100);

/// Bytes of a log file. Small, because three nodes prepare several each.
const SEGMENT_BYTES: u32 = 16 << 20;

/// Bytes of requests that the client holds: enough for the network, little enough that rows do
/// not wait in it for long.
const BUFFER: usize = 8 << 20;

/// Play with a cluster of three nodes in this process: real network, real log files, in a temporary
/// folder.
///
/// It imports a data set into keyspaces with different promises, stops a node under load, starts it
/// again, kills a leader (of three more nodes, in processes of their own), and checks that every promise
/// held. Exit code 1 when one did not.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Rows of the data set.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1_000..=500_000))]
    rows: u64,
    /// The data set is drawn from this number.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Leave the cluster running afterwards and tell how to reach it.
    #[arg(long)]
    keep: bool,
}

/// The cluster and what it must hold.
struct Demo {
    cluster: LocalCluster,
    scenes: Vec<Scene>,
    rows: u64,
    seed: u64,
}

/// Runs the verb.
pub(crate) async fn run(args: DemoArgs, context: &Context) -> Result<(), Failure> {
    let began = Instant::now();
    let mut stage = Stage::new(context.output);
    let ended = perform(&args, context, &mut stage, began).await;
    let Err(failure) = ended else { return Ok(()) };
    if matches!(failure, Failure::Quiet(_)) {
        return Err(failure);
    }
    if context.output.is_json() {
        report::print_abort(&failure, &stage, args.seed, began.elapsed(), context.output)?;
    }
    // Whatever stopped it: a promise did not hold.
    Err(Failure::failed(failure.to_string()))
}

async fn perform(
    args: &DemoArgs,
    context: &Context,
    stage: &mut Stage,
    began: Instant,
) -> Result<(), Failure> {
    stage.act("Starting three nodes on loopback");
    let mut demo = tokio::select! {
        demo = start(args, context, stage, began) => demo?,
        () = signal::asked_to_stop() => return Err(Failure::failed("interrupted")),
    };
    let played = tokio::select! {
        played = tokio::time::timeout(PATIENCE, play(&mut demo, stage, began)) => {
            let late = |_| Err(Failure::failed("the demo did not end in time"));
            played.unwrap_or_else(late)
        }
        () = signal::asked_to_stop() => Err(Failure::failed("interrupted")),
    };
    let ended = match played {
        Ok(report) => finish(args, context, &demo, stage, &report).await,
        Err(failure) => Err(failure),
    };
    demo.scenes.clear();
    let stopped = demo.cluster.stop().await;
    ended?;
    Ok(stopped?)
}

async fn finish(
    args: &DemoArgs,
    context: &Context,
    demo: &Demo,
    stage: &mut Stage,
    report: &Report,
) -> Result<(), Failure> {
    report.print(context.output)?;
    if args.keep {
        keep::invite(&demo.cluster, stage)?;
        signal::asked_to_stop().await;
    }
    if report.is_ok() {
        Ok(())
    } else {
        Err(Failure::Quiet(FAILURE))
    }
}

async fn start(
    args: &DemoArgs,
    context: &Context,
    stage: &mut Stage,
    began: Instant,
) -> Result<Demo, Failure> {
    let mut options = LocalOptions::new("demo");
    options.registry = Arc::clone(&context.registry);
    options.log.segment_bytes = SEGMENT_BYTES;
    options.quic.dial_timeout = DIAL_TIMEOUT;
    options.quic.reconnect_max = RECONNECT_MAX;
    let cluster = LocalCluster::start(options, cast::descriptors()).await?;
    cluster.ready(DEADLINE).await?;
    let mut builder = Client::builder().tls(cluster.client_tls("demo")?);
    for address in cluster.addresses() {
        builder = builder.address(address.to_string());
    }
    let client = builder.deadline(DEADLINE).buffer(BUFFER).build().await?;
    let mut scenes = Vec::new();
    for (part, number) in CAST.iter().zip(1..) {
        let seed = args.seed.wrapping_mul(100).wrapping_add(number);
        scenes.push(Scene::open(&client, part, args.rows, seed).await?);
    }
    let at: Vec<String> = cluster
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    stage.say(&format!("Mutual TLS over QUIC at {}", at.join(", ")));
    stage.say(&format!("Log files in {}", cluster.folder().display()));
    let told = format!("Ready in {}", units::span(began.elapsed()));
    stage.check("cluster_starts", true, told);
    Ok(Demo {
        cluster,
        scenes,
        rows: args.rows,
        seed: args.seed,
    })
}

async fn play(demo: &mut Demo, stage: &mut Stage, began: Instant) -> Result<Report, Failure> {
    stage.act(&format!(
        "Importing {} rows over the network",
        units::count(demo.rows)
    ));
    for scene in &mut demo.scenes {
        scene.import().await?;
        let (part, done) = (scene.part, scene.imported);
        let promise = format!("{}, {}", part.protocol, part.acks);
        let told = format!(
            "{:9} {:28} {:>7} rows, {:>8} in {}",
            part.name,
            promise,
            units::count(done.rows),
            units::bytes(done.bytes),
            units::span(done.span),
        );
        stage.check("imported", done.rows == scene.data.rows, told);
    }
    stage.act("A node goes away and comes back");
    let catch_up = outage::play(demo, stage).await?;
    stage.act("A client is not sure and asks again");
    exactly_once::play(demo, stage).await?;
    stage.act("Do the nodes agree?");
    watch::settled(&demo.cluster).await?;
    read_back::play(demo, stage).await?;
    let agreements = agreement::play(demo, stage).await?;
    stage.act("The leader dies");
    let failover = leader_dies::play(stage).await?;
    let span = began.elapsed();
    let seen = Seen {
        agreements,
        catch_up,
        failover,
    };
    Ok(Report::new(&demo.scenes, seen, stage, demo.seed, span))
}
