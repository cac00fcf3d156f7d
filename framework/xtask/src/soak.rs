//! `cargo xtask soak`: the simulator for as long as you like, on seeds never tried before.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::{output, shell};

/// What to soak and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How long to go on, in minutes.
    #[arg(long, default_value_t = 10)]
    pub minutes: u64,
    /// Protocols in turn (default: every folder of `protocols/`).
    #[arg(long = "protocol")]
    pub protocols: Vec<String>,
    /// Seeds of one simulator run.
    #[arg(long, default_value_t = 500)]
    pub seeds: u64,
    /// First seed (default: taken from the clock, so that each soak tries new ones).
    #[arg(long)]
    pub seed: Option<u64>,
    /// Steps of one seed (default: the simulator's).
    #[arg(long)]
    pub steps_per_seed: Option<u64>,
    /// Hunt the planted bugs instead, with every kind of fault and without each: fails when a bug
    /// escapes, and when none does for want of some kind. Takes most of an hour.
    #[arg(long)]
    pub planted: bool,
    /// Kill so many leaders of real nodes instead, one after the other, under load: fails when an
    /// acknowledged write is lost. About seven seconds each.
    #[arg(long, value_name = "KILLS", conflicts_with = "planted")]
    pub failovers: Option<u64>,
}

/// Runs the simulator in batches until the time is up, and prints every failing seed.
///
/// # Errors
/// When a seed failed, or the simulator could not be built or run.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    if options.planted {
        return hunt(root);
    }
    let build = ["build", "--release", "--locked", "-p", "repertoire-cli"];
    shell::run(root, &shell::cargo(), &build, &[])?;
    if let Some(kills) = options.failovers {
        return fail_over(root, kills);
    }
    let protocols = protocols(root, options)?;
    let until = Instant::now() + Duration::from_secs(options.minutes.saturating_mul(60));
    let mut seed = options.seed.unwrap_or_else(seed_from_clock);
    let mut failures = Vec::new();
    let mut tried: u64 = 0;
    for protocol in protocols.iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        let found = batch(root, options, protocol, seed)?;
        output::line(format_args!(
            "{protocol}: seeds {seed}..{}, {} violations",
            seed.saturating_add(options.seeds),
            found.len()
        ));
        found.iter().for_each(output::line);
        failures.extend(found);
        seed = seed.wrapping_add(options.seeds);
        tried = tried.saturating_add(options.seeds);
    }
    if failures.is_empty() {
        output::line(format_args!("{tried} seeds, no violation"));
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} violations in {tried} seeds:\n{}",
        failures.len(),
        failures.join("\n")
    )))
}

/// Cuts the power of real nodes that acknowledge before the sync: they must be found to lose writes.
/// Then prints the matrix of planted bugs and fault kinds: medians over five starts.
fn hunt(root: &Path) -> Result<()> {
    let mut args = vec!["test", "--locked", "--quiet", "-p", "repertoire-cli"];
    args.extend(["--features", "sabotage", "--test", "command", "crash"]);
    shell::run(root, &shell::cargo(), &args, &[])?;
    let mut args = vec!["run", "--release", "--locked", "--quiet"];
    args.extend(["-p", "repertoire-sim", "--features", "sabotage"]);
    args.extend(["--example", "planted", "--", "5", "100", "10000"]);
    shell::run(root, &shell::cargo(), &args, &[])
}

/// Kills leaders with `kill -9` under 1,000 writes a second, and prints how long each was missed.
fn fail_over(root: &Path, kills: u64) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let program = root.join(target).join("release/repertoire");
    let program = program.display().to_string();
    let kills = kills.to_string();
    let mut args = vec!["run", "--release", "--locked", "--quiet"];
    args.extend(["-p", "repertoire-bench", "--example", "failover", "--"]);
    args.extend(["--processes", "3", "--program", &program, "--kills", &kills]);
    shell::run(root, &shell::cargo(), &args, &[])
}

fn protocols(root: &Path, options: &Options) -> Result<Vec<String>> {
    if !options.protocols.is_empty() {
        return Ok(options.protocols.clone());
    }
    let names = crate::tree::Tree::open(root)?.folders("protocols");
    if names.is_empty() {
        Err(Failure::new("no protocol in protocols/"))
    } else {
        Ok(names)
    }
}

/// Seeds stay below 2^53, so that they survive a trip through JSON readers that only know doubles.
fn seed_from_clock() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs().saturating_mul(1_000_000)
}

fn batch(root: &Path, options: &Options, protocol: &str, seed: u64) -> Result<Vec<String>> {
    let (seeds, seed) = (options.seeds.to_string(), seed.to_string());
    let steps = options.steps_per_seed.map(|steps| steps.to_string());
    let mut args = vec![
        "run",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "repertoire-cli",
        "--",
    ];
    args.extend(["sim", "--output", "json", "--protocol", protocol]);
    args.extend(["--seeds", &seeds, "--seed", &seed]);
    if let Some(steps) = &steps {
        args.extend(["--steps-per-seed", steps]);
    }
    let out = shell::capture(root, &shell::cargo(), &args, &[])?;
    let found = violations(&out.stdout);
    if found.is_empty() && out.code != Some(0) {
        let line = format!(
            "{protocol}: `sim --seed {seed} --seeds {seeds}` ended with {:?}",
            out.code
        );
        return Err(Failure::new(format!(
            "{line}\n{}{}",
            out.stdout, out.stderr
        )));
    }
    Ok(found
        .into_iter()
        .map(|text| format!("  {protocol}: {text}"))
        .collect())
}

/// The violations of a report: one JSON object, or lines of them.
fn violations(report: &str) -> Vec<String> {
    serde_json::Deserializer::from_str(report)
        .into_iter::<Value>()
        .map_while(std::result::Result::ok)
        .flat_map(|object| match object.get("violations") {
            Some(Value::Array(list)) => list.iter().map(describe).collect(),
            _ if object.get("invariant").is_some() => vec![describe(&object)],
            _ => Vec::new(),
        })
        .collect()
}

fn describe(violation: &Value) -> String {
    let field = |key: &str| match violation.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "?".to_owned(),
    };
    let [seed, invariant, detail, replay] = ["seed", "invariant", "detail", "replay"].map(field);
    format!("seed {seed}: {invariant}: {detail}\n    replay: {replay}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_read_from_one_object_or_from_lines() {
        let one =
            r#"{"seeds":2,"violations":[{"seed":7,"invariant":"x","detail":"d","replay":"r"}]}"#;
        let lines = "{\"seed\":8,\"invariant\":\"y\",\"detail\":\"d\",\"replay\":\"r\"}\n{\"violations\":0}";
        assert_eq!(violations(one), ["seed 7: x: d\n    replay: r"]);
        assert_eq!(violations(lines), ["seed 8: y: d\n    replay: r"]);
        assert!(violations("warming up").is_empty());
    }
}
