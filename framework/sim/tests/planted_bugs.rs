//! Every planted bug is found by a general invariant, within a budget of seeds, and the code without
//! it runs the same seeds clean. `SIM_STARTS=5` repeats the hunt from other seeds.

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Hunt, RunConfig, SUBJECTS, run};

/// Seeds of one hunt. The rarest bug takes an old message that crosses two leaderships.
const BUDGET: u64 = 250;
const STEPS: u64 = 10_000;

fn starts() -> Vec<u64> {
    let count = std::env::var("SIM_STARTS")
        .ok()
        .and_then(|text| text.parse().ok());
    (0..count.unwrap_or(1))
        .map(|start| 1 + start * 100_000)
        .collect()
}

#[test]
fn every_planted_bug_is_caught() {
    let mut escaped = Vec::new();
    for bug in Bug::ALL {
        let hunts = starts().into_iter().map(|seed| {
            let hunt = Hunt::new(bug, seed, BUDGET);
            Hunt {
                steps: STEPS,
                ..hunt
            }
            .run()
        });
        let found: Vec<_> = hunts.collect();
        let mut taken: Vec<u64> = found.iter().flatten().map(|found| found.0).collect();
        taken.sort_unstable();
        if taken.len() < found.len() {
            escaped.push(bug);
        }
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
    }
    assert!(
        escaped.is_empty(),
        "within {BUDGET} seeds nothing notices {escaped:?}"
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
