//! Seeds that once broke a promise. Each names what was wrong; where a unit test can show the fault
//! it stands beside the fix, because a seed means another run once the simulator draws differently.

use repertoire_sim::{CampaignConfig, Machinery, RunConfig, run};

/// Protocol, seed, and what it found when it was new.
const SEEDS: [(&str, u64, &str); 12] = [
    (
        "standalone",
        8,
        "reads named a position that their answer was older than",
    ),
    (
        "standalone",
        30,
        "a digest mixed the rows of one moment with the dedup table of another",
    ),
    (
        "standalone",
        23,
        "evaluations saw a write that replay skips, given up by its client meanwhile",
    ),
    (
        "single-leader",
        157,
        "a record behind its session's expiry revived the session, empty",
    ),
    (
        "single-leader",
        133,
        "heartbeats answered kept lost entries from being sent again",
    ),
    (
        "single-leader",
        233,
        "heartbeats answered kept lost entries from being sent again",
    ),
    (
        "single-leader",
        45,
        "the harness took a surviving truncation for a loss",
    ),
    (
        "single-leader",
        34,
        "the harness took an unanswered delete for nobody's",
    ),
    (
        "single-leader",
        120,
        "a log that a snapshot had replaced was joined to it, power having failed in between",
    ),
    (
        "single-leader",
        12,
        "the harness judged a truncation by what was applied after it",
    ),
    (
        "single-leader",
        657,
        "an evaluation asked an engine that a snapshot then replaced, and kept its keys latched",
    ),
    (
        "single-leader",
        4_002_695,
        "a voter that gave its vote to nobody took itself for the appointed leader",
    ),
];

#[test]
fn seeds_that_failed_once_are_clean() {
    for (protocol, seed, found) in SEEDS {
        let mut config = RunConfig::new(protocol, seed).with_steps(8_000);
        if matches!(seed, 120 | 657) {
            config = CampaignConfig::new(protocol, seed, 1).run_of(seed);
        }
        if seed == 133 {
            config = config.with_machinery(Machinery::Erased);
            config.mixed = true;
        }
        let violations = run(&config).violations;
        assert!(violations.is_empty(), "{found}: {violations:#?}");
    }
}
