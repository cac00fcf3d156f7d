//! The load generator on its own, without the `repertoire` command around it.

use clap::Parser;
use repertoire_bench::BenchOptions;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: BenchOptions,
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = repertoire_bench::run(Flags::parse().options).await?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
