//! Runs seeds and prints the report: `soak [protocol] [seeds] [first seed] [steps] [threads] [without]
//! [members]`: kinds of faults to leave out, with commas between, and `members` to have members come and
//! go in every seed.

use std::time::Instant;

use repertoire_sim::{CampaignConfig, Fault, RunConfig, campaign_with, run};

#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a command line: it measures real time and prints"
)]
fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = |default: &str| args.next().unwrap_or_else(|| default.to_owned());
    let protocol = next("single-leader");
    let number = |text: String| text.parse::<u64>().unwrap_or(0);
    let seeds = number(next("200"));
    let seed = number(next("1"));
    let mut config = CampaignConfig::new(protocol, seed, seeds);
    config.steps_per_seed = number(next("20000"));
    config.threads = usize::try_from(number(next("1"))).unwrap_or(1);
    let left_out = next("");
    let is_left_out = |kind: &&Fault| left_out.split(',').any(|name| name == kind.name());
    let without: Vec<Fault> = Fault::ALL.iter().filter(is_left_out).copied().collect();
    let membership = (next("") == "members").then_some(true);
    let start = Instant::now();
    let report = campaign_with(&config, || start.elapsed().as_secs_f64(), &|config| {
        run(&RunConfig {
            without: without.clone(),
            membership: membership.or(config.membership),
            ..config.clone()
        })
    });
    match serde_json::to_string_pretty(&report) {
        Ok(text) => println!("{text}"),
        Err(error) => println!("{error}"),
    }
    if !report.is_clean() {
        std::process::exit(1);
    }
}
