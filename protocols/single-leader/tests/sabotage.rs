//! Every planted bug of this crate is found by the random trouble of `chaos`, within a few hundred
//! seeds: what finds nothing in a broken protocol proves nothing about a sound one.
#![cfg(feature = "sabotage")]

mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use harness::chaos::Chaos;
use repertoire_core::Durability;
use repertoire_core::sabotage::{Bug, plant};

const STEPS: usize = 1500;

/// The first seed whose run fails under the bug.
fn found_by(bug: Bug, seeds: u64) -> Option<u64> {
    let fails = |seed: &u64| {
        plant(&[bug]);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut chaos = Chaos::new(*seed, Durability::Disk);
            for _ in 0..STEPS {
                chaos.step();
            }
            chaos.heal();
        }));
        plant(&[]);
        outcome.is_err()
    };
    (0..seeds).find(fails)
}

#[test]
fn every_planted_bug_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let bugs = [
        Bug::LeaderAcksBeforeDurable,
        Bug::FollowerAcksBeforeDurable,
        Bug::AckUnmatchedSuffix,
        Bug::QuorumMinusOne,
        Bug::ApplyPastHole,
        Bug::SnapshotForgetsFrontier,
        Bug::EpochReusedAfterRestart,
        Bug::StaleLeaderAccepted,
        Bug::TruncateMatchingSuffix,
        Bug::VisibleBeforeAcked,
        Bug::AckOvertakesPrefix,
        Bug::CommitBeyondMatched,
        Bug::CheckpointTooFar,
        Bug::FollowerServesLeaderRead,
        Bug::TruncateKeepsEpochs,
        Bug::ReappendApplied,
    ];
    let found: Vec<_> = bugs
        .into_iter()
        .map(|bug| (bug, found_by(bug, 300)))
        .collect();
    let _ = std::panic::take_hook();
    eprintln!("{found:#?}");
    let missed: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
