//! Load generator for the peers that bring none of their own that fits: etcd (gRPC) and redis (RESP, with WAIT).
//! Closed loop: every client keeps one request (or one pipeline) in flight. Prints one JSON object.
mod common;
mod etcd;
mod redis;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    cmd: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    Etcd(etcd::Etcd),
    Redis(redis::Redis),
    RedisCatchup(redis::Catchup),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let threads = match &cli.cmd {
        Cmd::Etcd(e) => e.threads,
        _ => 1,
    };
    let rt = if threads > 1 {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
    };
    rt.block_on(async move {
        match cli.cmd {
            Cmd::Etcd(e) => etcd::run(e).await,
            Cmd::Redis(r) => redis::run(r).await,
            Cmd::RedisCatchup(c) => redis::catchup(c).await,
        }
    })
}
