//! Leaders killed with `kill -9` while a client writes: how long it hears nothing, and whether anything is
//! lost.
//!
//! ```console
//! cargo build --release -p repertoire-cli
//! cargo run --release -p repertoire-bench --example failover -- \
//!     --processes 3 --program target/release/repertoire --kills 20
//! ```

use clap::Parser;
use repertoire_bench::FailoverOptions;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: FailoverOptions,
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = repertoire_bench::failover(Flags::parse().options).await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if report.writes.lost_acknowledged > 0 {
        return Err(format!(
            "{} acknowledged writes are lost",
            report.writes.lost_acknowledged
        )
        .into());
    }
    Ok(())
}
