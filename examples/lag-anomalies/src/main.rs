//! Runs every anomaly and prints what its readers saw.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use std::process::ExitCode;

use lag_anomalies::{Lab, Row, all, table};
use repertoire::core::Error;

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let lab = Lab::start().await?;
    let rows = all(&lab).await?;
    lab.stop().await?;
    print!("{}", table(&rows));
    Ok(match rows.iter().all(Row::is_as_promised) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
