//! Many keyspaces that nobody uses: CPU and memory of their replicas.
//!
//! ```console
//! cargo run --release -p repertoire-bench --example idle -- --keyspaces 1000
//! ```

use clap::Parser;
use repertoire_bench::IdleOptions;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: IdleOptions,
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = repertoire_bench::idle(Flags::parse().options).await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
