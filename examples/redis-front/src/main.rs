//! The command: a replicated database on one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use redis_front::{Database, Options};
use repertoire::core::{Acks, Durability, Error};

/// A replicated database that speaks the Redis protocol.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Where to listen for clients; there are no users and no passwords.
    #[arg(long, default_value = "127.0.0.1:6379")]
    listen: SocketAddr,
    /// Folder of the data; a temporary one, removed in the end, without it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Nodes, all in this process.
    #[arg(long, default_value_t = 3)]
    nodes: u64,
    /// Databases that SELECT may choose from.
    #[arg(long, default_value_t = 16)]
    databases: usize,
    /// Copies before a client hears "OK": async, semi-sync, semi-sync=2, sync, majority.
    #[arg(long, value_parser = acks)]
    ack: Option<Acks>,
    /// The medium that counts: memory, os, disk.
    #[arg(long, default_value = "disk", value_parser = durability)]
    durability: Durability,
}

fn acks(text: &str) -> Result<Acks, String> {
    match text.split_once('=') {
        None if text == "async" => Ok(Acks::Async),
        None if text == "semi-sync" => Ok(Acks::SemiSync(1)),
        None if text == "sync" => Ok(Acks::Sync),
        None if text == "majority" => Ok(Acks::Majority),
        Some(("semi-sync", count)) => {
            let count = count
                .parse()
                .map_err(|_| "semi-sync takes a number of followers")?;
            Ok(Acks::SemiSync(count))
        }
        _ => Err("choose async, semi-sync, semi-sync=N, sync or majority".to_owned()),
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "memory" => Ok(Durability::Memory),
        "os" => Ok(Durability::Os),
        "disk" => Ok(Durability::Disk),
        _ => Err("choose memory, os or disk".to_owned()),
    }
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let flags = Flags::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("redis-front: the threads could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis-front: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Error> {
    // One node alone has nobody to wait for.
    let default = if flags.nodes == 1 {
        Acks::Async
    } else {
        Acks::SemiSync(1)
    };
    let options = Options {
        listen: flags.listen,
        data: flags.data,
        nodes: flags.nodes,
        databases: flags.databases,
        acks: flags.ack.unwrap_or(default),
        durability: flags.durability,
    };
    let promise = format!("{} on {}", options.acks, options.durability);
    let nodes = options.nodes;
    let database = Database::start(options).await?;
    eprintln!(
        "redis-front: ready on {}, {nodes} nodes, {promise}",
        database.address()
    );
    wait_for_end().await;
    eprintln!("redis-front: stopping");
    database.stop().await
}

/// Waits for an interrupt, or a request to end.
async fn wait_for_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut ended) => tokio::select! {
            _ = interrupted => {}
            _ = ended.recv() => {}
        },
        Err(_) => {
            let _is_interrupted = interrupted.await;
        }
    }
}
