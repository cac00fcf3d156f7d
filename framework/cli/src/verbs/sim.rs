//! `sim`: deterministic simulation with faults.

use std::num::NonZero;
use std::time::{Duration, Instant};

use clap::Args;
use repertoire_sim::{
    CampaignConfig, CampaignReport, Machinery, RunConfig, STEPS_DEFAULT, SUBJECTS, campaign_with,
    subject,
};

use crate::failure::{FAILURE, Failure};
use crate::output::Output;
use crate::units;
use crate::{Context, Simulate};

/// Seeds between two looks at the clock. As many as the simulator wants to have seen every planned
/// situation.
const SEEDS_AT_ONCE: u64 = 400;

/// Run clusters in a simulator, with faults, and check every promise.
///
/// A seed always runs the same way; a violation prints the command that runs it again. Exit code 1
/// when a promise was broken or a planned situation never came up.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimArgs {
    /// The protocol.
    #[arg(long, value_name = "NAME", default_value = "single-leader")]
    protocol: String,
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps of each seed before its faults end.
    #[arg(long, value_name = "N", default_value_t = STEPS_DEFAULT)]
    steps_per_seed: u64,
    /// Go on with further seeds for so long instead.
    #[arg(long, value_name = "M", conflicts_with = "seeds")]
    minutes: Option<u64>,
    /// Let other protocols share the nodes in every seed, and not only in some.
    #[arg(long)]
    mixed: bool,
    /// Threads [default: one for each core]
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

/// Runs the verb.
pub(crate) fn run(args: &SimArgs, context: &Context) -> Result<(), Failure> {
    let own = context.simulations.get(args.protocol.as_str()).copied();
    if own.is_none() && subject(&args.protocol).is_none() {
        let built_in = SUBJECTS.iter().map(|subject| subject.name);
        let known: Vec<&str> = built_in
            .chain(context.simulations.keys().copied())
            .collect();
        return Err(Failure::usage(format!(
            "--protocol {}: the simulator knows {}",
            args.protocol,
            known.join(", ")
        )));
    }
    let simulate = own.unwrap_or(repertoire_sim::run);
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut config = CampaignConfig::new(&args.protocol, args.seed, args.seeds);
    config.steps_per_seed = args.steps_per_seed;
    config.threads = args.threads.map_or_else(cores, NonZero::get);
    let report = match args.minutes {
        None => timed(&config, args.mixed, simulate),
        Some(minutes) => {
            let span = Duration::from_mins(minutes);
            run_for(config, args.mixed, simulate, span, context.output)
        }
    };
    print(&report, context.output)?;
    if report.is_clean() {
        Ok(())
    } else {
        Err(Failure::Quiet(FAILURE))
    }
}

fn timed(config: &CampaignConfig, is_mixed: bool, simulate: Simulate) -> CampaignReport {
    let began = Instant::now();
    campaign_with(config, || began.elapsed().as_secs_f64(), &|run| {
        if is_mixed {
            let erased = run.clone().with_machinery(Machinery::Erased);
            return simulate(&RunConfig {
                mixed: true,
                ..erased
            });
        }
        simulate(run)
    })
}

fn run_for(
    mut config: CampaignConfig,
    is_mixed: bool,
    simulate: Simulate,
    span: Duration,
    output: Output,
) -> CampaignReport {
    let began = Instant::now();
    config.seeds = SEEDS_AT_ONCE;
    let mut all = timed(&config, is_mixed, simulate);
    while began.elapsed() < span && all.violations.is_empty() {
        output.note(&format!(
            "{} seeds, {} steps, no violation so far",
            units::count(all.seeds),
            units::count(all.steps)
        ));
        config.seed = config.seed.wrapping_add(SEEDS_AT_ONCE);
        add(&mut all, timed(&config, is_mixed, simulate));
    }
    all.steps_per_second = units::per_second(all.steps, began.elapsed());
    all
}

/// Adds what further seeds found. Every part has as many seeds, so that means are plain.
fn add(all: &mut CampaignReport, more: CampaignReport) {
    let weight = units::per_second(all.seeds, Duration::from_secs(1))
        / units::per_second(all.seeds + more.seeds, Duration::from_secs(1));
    let percent = |report: &CampaignReport| report.operations_succeeded_percent;
    all.operations_succeeded_percent = percent(all) * weight + percent(&more) * (1.0 - weight);
    all.seeds += more.seeds;
    all.steps += more.steps;
    all.simulated_seconds += more.simulated_seconds;
    all.violations.extend(more.violations);
    for (name, count) in more.sometimes {
        *all.sometimes.entry(name).or_default() += count;
    }
    for (name, count) in more.faults {
        *all.faults.entry(name).or_default() += count;
    }
    all.never_reached
        .retain(|name| more.never_reached.contains(name));
    all.trace_hash = chained(&all.trace_hash, &more.trace_hash);
}

/// One hash from two, in order.
fn chained(a: &str, b: &str) -> String {
    let number = |hash: &str| u64::from_str_radix(hash, 16).unwrap_or(0);
    let mixed = repertoire_sim::Rng::new(number(a)).next_u64() ^ number(b);
    format!("{mixed:016x}")
}

fn print(report: &CampaignReport, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(report);
    }
    let counts = |counts: &std::collections::BTreeMap<String, u64>| -> Vec<Vec<String>> {
        let row = |(name, count): (&String, &u64)| vec![name.clone(), units::count(*count)];
        counts.iter().map(row).collect()
    };
    output.table(&["SITUATION", "TIMES"], &counts(&report.sometimes))?;
    output.line("")?;
    output.table(&["FAULT", "TIMES"], &counts(&report.faults))?;
    output.line("")?;
    output.line(&format!(
        "{}: {} seeds, {} steps ({:.0} a second), {:.0} simulated seconds, {:.1} % of operations \
         succeeded, trace {}",
        report.protocol,
        units::count(report.seeds),
        units::count(report.steps),
        report.steps_per_second,
        report.simulated_seconds,
        report.operations_succeeded_percent,
        report.trace_hash,
    ))?;
    for violation in &report.violations {
        output.line(&output.red(&format!("seed {}: {}", violation.seed, violation.invariant)))?;
        output.line(&format!(
            "  {}\n  again with: {}",
            violation.detail, violation.replay
        ))?;
    }
    for name in &report.never_reached {
        output.line(&output.red(&format!("never reached: {name}")))?;
    }
    if report.is_clean() {
        output.line(&output.green("No promise was broken"))?;
    }
    Ok(())
}
