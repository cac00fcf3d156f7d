//! A snapshot of a large state, sent under load to a follower that is killed again and again.
//!
//! ```console
//! cargo build --release -p repertoire-cli
//! cargo run --release -p repertoire-bench --example snapshot -- \
//!     --processes 3 --program target/release/repertoire --keys 5000000
//! ```

use clap::Parser;
use repertoire_bench::SnapshotOptions;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: SnapshotOptions,
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = repertoire_bench::snapshot(Flags::parse().options).await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
