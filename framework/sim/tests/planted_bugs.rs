//! Every planted bug is found by a general invariant, within a budget of seeds, and the code without
//! it runs the same seeds clean. `SIM_STARTS=5` repeats the hunt from other seeds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where its expectation does, and tells what it saw"
)]

use std::sync::Mutex;

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Hunt, RunConfig, SUBJECTS, run};

/// Seeds of one hunt. The rarest bug takes an old message that crosses two leaderships.
const BUDGET: u64 = 250;
/// Of those that take an election: two candidates at the same moment are rare, and so is a power cut
/// between a vote and its sync.
const ELECTION_BUDGET: u64 = 2000;
const STEPS: u64 = 10_000;

fn starts() -> Vec<u64> {
    let count = std::env::var("SIM_STARTS")
        .ok()
        .and_then(|text| text.parse().ok());
    (0..count.unwrap_or(1))
        .map(|start| 1 + start * 100_000)
        .collect()
}

/// Whether every hunt for the bug ends with a catch.
fn is_caught(bug: Bug) -> bool {
    let budget = if bug.concerns_elections() {
        ELECTION_BUDGET
    } else {
        BUDGET
    };
    let hunts = starts().into_iter().map(|seed| {
        let hunt = Hunt::new(bug, seed, budget);
        Hunt {
            steps: STEPS,
            ..hunt
        }
        .run()
    });
    let found: Vec<_> = hunts.collect();
    let mut taken: Vec<u64> = found.iter().flatten().map(|found| found.0).collect();
    taken.sort_unstable();
    let by = found
        .iter()
        .flatten()
        .map(|found| &*found.1.invariant)
        .next();
    let median = taken.get(taken.len() / 2);
    println!(
        "{bug:?}: {} of {}, median {median:?} seeds, by {by:?}",
        taken.len(),
        found.len()
    );
    taken.len() == found.len()
}

#[test]
fn every_planted_bug_is_caught() {
    let (left, escaped) = (Mutex::new(Bug::ALL.iter()), Mutex::new(Vec::new()));
    // Bugs are planted in a thread of their own.
    let work = || {
        loop {
            let next = left.lock().unwrap().next();
            let Some(bug) = next else {
                return;
            };
            if !is_caught(*bug) {
                escaped.lock().unwrap().push(*bug);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let escaped = escaped.into_inner().unwrap();
    assert!(
        escaped.is_empty(),
        "within their seeds nothing notices {escaped:?}"
    );
}

#[test]
fn the_same_seeds_are_clean_without_a_bug() {
    for tried in 0..24 {
        let subject = &SUBJECTS[usize::from(tried % 8 == 7)];
        let report = run(&RunConfig::new(subject.name, 1 + tried).with_steps(STEPS));
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
    }
}
