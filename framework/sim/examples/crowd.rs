//! Sessions over fifty followers with random lag, without tokens and with them: `crowd [operations]
//! [seed]`. Exit code 1 when a session with tokens looked back in time, or none without them did.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use std::process::ExitCode;

use repertoire_sim::{CrowdConfig, Routing, crowd};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |otherwise| numbers.next().and_then(Result::ok).unwrap_or(otherwise);
    let (operations, seed) = (number(1_000_000), number(1));
    let mut is_as_promised = true;
    println!("routing    operations  writes  lag (records)   waited  own writes missed  went back");
    for routing in [Routing::Anywhere, Routing::Modulo, Routing::Token] {
        let report = crowd(&CrowdConfig::new(seed, operations, routing));
        println!(
            "{:9} {:>11} {:>7} {:>14} {:>8} {:>18} {:>10}",
            format!("{routing:?}"),
            report.operations,
            report.writes,
            report.lag_records_mean,
            report.waited,
            report.read_your_writes,
            report.monotonic_reads,
        );
        is_as_promised &= (report.violations() == 0) == (routing == Routing::Token);
    }
    if is_as_promised {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
