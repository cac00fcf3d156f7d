//! Reads a second and CPU with 1, 2 and 4 followers; how long writes take beside a slow one.
//!
//! ```console
//! cargo run --release -p repertoire-bench --example followers
//! ```

use clap::Parser;
use repertoire_bench::{FollowersOptions, FollowersReport};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: FollowersOptions,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    let report = repertoire_bench::followers(flags.options).await?;
    if flags.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        show(&report);
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the report is the program's output")]
fn show(report: &FollowersReport) {
    println!("followers   reads/s   p50 µs   p99 µs   CPU cores   CPU µs/read");
    for it in &report.reads {
        println!(
            "{:>9} {:>9.0} {:>8} {:>8} {:>11.2} {:>13.1}",
            it.followers,
            it.reads_per_second,
            it.p50_us,
            it.p99_us,
            it.cpu_cores,
            it.cpu_us_per_read
        );
    }
    println!("\nacks, one of two followers slow   writes/s   p50 µs   p99 µs");
    for it in &report.acks {
        println!(
            "{:<31} {:>10.0} {:>8} {:>8}",
            it.acks, it.writes_per_second, it.p50_us, it.p99_us
        );
    }
}
