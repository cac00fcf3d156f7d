//! Many seeds, on one thread or more, with one report.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::{Machinery, RunConfig, STEPS_DEFAULT, subject};
use crate::fault::mix::FaultTally;
use crate::report::{CampaignReport, RunReport};
use crate::rng::mix;
use crate::run::run;
use crate::sometimes::{Needs, Situation};

/// Seeds from which on every planned situation must have been reached.
const SEEDS_FOR_ALL: u64 = 400;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignConfig {
    /// The protocol under test.
    pub protocol: String,
    /// The first seed.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Steps of each.
    pub steps_per_seed: u64,
    /// Threads.
    pub threads: usize,
    /// Machinery of every seed; when absent, one in four runs erased with other protocols beside.
    pub machinery: Option<Machinery>,
}

impl CampaignConfig {
    /// So many seeds from `seed` on, with defaults.
    pub fn new(protocol: impl Into<String>, seed: u64, seeds: u64) -> Self {
        Self {
            protocol: protocol.into(),
            seed,
            seeds,
            steps_per_seed: STEPS_DEFAULT,
            threads: 1,
            machinery: None,
        }
    }

    /// The run of one seed.
    pub fn run_of(&self, seed: u64) -> RunConfig {
        let config = RunConfig::new(self.protocol.clone(), seed).with_steps(self.steps_per_seed);
        match self.machinery {
            Some(machinery) => config.with_machinery(machinery),
            None if mix(seed).is_multiple_of(4) => RunConfig {
                mixed: true,
                ..config.with_machinery(Machinery::Erased)
            },
            None => config,
        }
    }
}

/// Runs a campaign. `elapsed` tells the seconds since it began: the simulator itself has no clock.
pub fn campaign(config: &CampaignConfig, elapsed: impl Fn() -> f64) -> CampaignReport {
    campaign_with(config, elapsed, &|config| run(config))
}

/// Runs a campaign whose seeds `run` runs.
pub fn campaign_with(
    config: &CampaignConfig,
    elapsed: impl Fn() -> f64,
    run: &(dyn Fn(&RunConfig) -> RunReport + Sync),
) -> CampaignReport {
    let next = AtomicU64::new(0);
    let work = || {
        let mut reports = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= config.seeds {
                return reports;
            }
            reports.push(run(&config.run_of(config.seed.wrapping_add(index))));
        }
    };
    let mut reports: Vec<RunReport> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..config.threads).map(|_| scope.spawn(work)).collect();
        let mut reports = work();
        for other in others {
            // A run catches its panics; one that escapes is a fault of the harness.
            match other.join() {
                Ok(more) => reports.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        reports
    });
    reports.sort_by_key(|report| report.seed.wrapping_sub(config.seed));
    summarize(config, &reports, elapsed())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "figures for people, far below 2^53"
)]
fn summarize(config: &CampaignConfig, reports: &[RunReport], seconds: f64) -> CampaignReport {
    let mut summary = CampaignReport {
        protocol: config.protocol.clone(),
        seeds: reports.len() as u64,
        steps: 0,
        steps_per_second: 0.0,
        simulated_seconds: 0.0,
        operations_succeeded_percent: 0.0,
        violations: Vec::new(),
        trace_hash: String::new(),
        sometimes: Situation::ALL
            .iter()
            .map(|case| (case.name().to_owned(), 0))
            .collect(),
        faults: FaultTally::default()
            .iter()
            .map(|(name, none)| (name.to_owned(), none))
            .collect(),
        never_reached: Vec::new(),
    };
    let (mut done, mut ended, mut nanoseconds, mut hash) = (0, 0, 0, 0);
    for report in reports {
        summary.steps += report.steps;
        done += report.operations_succeeded;
        ended += report.operations_ended;
        nanoseconds += report.simulated_nanoseconds;
        hash = mix(hash ^ report.trace_hash);
        summary.violations.extend(report.violations.iter().cloned());
        for (name, count) in &report.sometimes {
            *summary.sometimes.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &report.faults {
            *summary.faults.entry(name.clone()).or_default() += count;
        }
    }
    summary.trace_hash = format!("{hash:016x}");
    summary.simulated_seconds = nanoseconds as f64 / 1e9;
    summary.operations_succeeded_percent = done as f64 * 100.0 / (ended as f64).max(1.0);
    if seconds > 0.0 {
        summary.steps_per_second = summary.steps as f64 / seconds;
    }
    if config.seeds >= SEEDS_FOR_ALL {
        let tested = subject(&config.protocol);
        let is_possible = |needs: Needs| match needs {
            Needs::Nothing => true,
            Needs::Copies => tested.is_some_and(|subject| subject.replicates),
            Needs::Elections | Needs::Members => tested.is_some_and(|subject| subject.elects),
        };
        let missing = Situation::ALL
            .iter()
            .filter(|case| is_possible(case.needs()))
            .filter(|case| summary.sometimes.get(case.name()) == Some(&0));
        summary.never_reached = missing.map(|case| case.name().to_owned()).collect();
    }
    summary
}
