//! The command: a replicated table on one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dynamo_table::{Credentials, Database, Options};
use repertoire::core::Error;

/// A replicated table, over shards, that speaks the protocol of DynamoDB.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Where to listen for clients.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Folder of the data; a temporary one, removed in the end, without it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Nodes, all in this process.
    #[arg(long, default_value_t = 3)]
    nodes: u64,
    /// Shards of the items; fixed when the data folder is made.
    #[arg(long, default_value_t = 8)]
    shards: u32,
    /// The access key id that requests must be signed with; without it nobody is asked who they are.
    #[arg(long, env = "DYNAMO_TABLE_KEY_ID", requires = "secret")]
    key_id: Option<String>,
    /// The secret access key that belongs to it.
    #[arg(long, env = "DYNAMO_TABLE_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    let flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime
            .block_on(run(flags))
            .map_err(|error| error.to_string()),
        Err(error) => Err(format!("the threads could not be started: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dynamo-table: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Error> {
    let (nodes, shards) = (flags.nodes, flags.shards);
    let credentials = flags.key_id.zip(flags.secret);
    let credentials = credentials.map(|(id, secret)| Credentials { id, secret });
    let database = Database::start(Options {
        listen: flags.listen,
        data: flags.data,
        nodes,
        shards,
        credentials,
    })
    .await?;
    let address = database.address();
    eprintln!("dynamo-table: ready on http://{address}, {nodes} nodes, {shards} shards");
    wait_for_end().await;
    eprintln!("dynamo-table: stopping");
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
