//! What came of a run, and of a campaign.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A broken promise, with what it takes to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The run.
    pub seed: u64,
    /// The promise, by its id.
    pub invariant: String,
    /// What was found.
    pub detail: String,
    /// A command that runs it again.
    pub replay: String,
}

/// What came of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// The seed.
    pub seed: u64,
    /// Inputs delivered to replicas.
    pub steps: u64,
    /// Time that passed inside the run.
    pub simulated_nanoseconds: u64,
    /// Operations that were acknowledged or answered.
    pub operations_succeeded: u64,
    /// Operations that ended in any way.
    pub operations_ended: u64,
    /// Broken promises, first ones first.
    pub violations: Vec<Violation>,
    /// Equal for equal runs.
    pub trace_hash: u64,
    /// Situations and how often they were reached.
    pub sometimes: BTreeMap<String, u64>,
    /// Faults and how often they were injected.
    pub faults: BTreeMap<String, u64>,
}

/// What came of many seeds. Its JSON is what `repertoire sim --output json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignReport {
    /// The protocol under test.
    pub protocol: String,
    /// Seeds run.
    pub seeds: u64,
    /// Inputs delivered to replicas.
    pub steps: u64,
    /// Steps in a second of real time, over all threads; zero without a clock.
    pub steps_per_second: f64,
    /// Time that passed inside the runs, in seconds.
    pub simulated_seconds: f64,
    /// Operations that were acknowledged or answered, of a hundred.
    pub operations_succeeded_percent: f64,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Of all runs, in the order of seeds.
    pub trace_hash: String,
    /// Situations and how often they were reached.
    pub sometimes: BTreeMap<String, u64>,
    /// Faults and how often they were injected.
    pub faults: BTreeMap<String, u64>,
    /// Situations that these seeds should have reached and did not.
    pub never_reached: Vec<String>,
}

impl CampaignReport {
    /// Whether nothing was broken and every planned situation was reached.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.never_reached.is_empty()
    }
}
