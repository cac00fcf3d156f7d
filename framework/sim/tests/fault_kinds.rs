//! Every kind of fault earns its place: for each there is a planted bug that some seeds catch, and that
//! none of the same seeds catches once this one kind is left out. `examples/planted.rs` prints the whole
//! matrix, over more seeds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where its expectation does, and tells what it saw"
)]

use std::sync::Mutex;

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Fault, Hunt};

/// Seeds within which a bug is caught with its kind. Without it that many run to their end, and at
/// least those of `WITHOUT`.
const WITH: u64 = 64;
const WITHOUT: u64 = 32;
const STEPS: u64 = 10_000;
/// The first seed.
const START: u64 = 1001;

/// A kind, and a bug that takes it.
const EXPOSED: [(Fault, Bug); 14] = [
    (Fault::Drop, Bug::ProbeAskedOnce),
    (Fault::Duplicate, Bug::FenceFromThePast),
    (Fault::Reorder, Bug::OvertakenTakenForRepeated),
    (Fault::Clog, Bug::SentCountsAsHeld),
    (Fault::Partition, Bug::ReturnCountsAsCaughtUp),
    (Fault::Crash, Bug::RecoverFewBursts),
    (Fault::PowerLoss, Bug::RecoverPastTear),
    (Fault::DiskFailure, Bug::FailedSyncIgnored),
    (Fault::BitRot, Bug::RotTakenForTornTail),
    (Fault::SlowDisk, Bug::BacklogCountsAsDurable),
    (Fault::DiskFull, Bug::FullCountsAsWritten),
    (Fault::SlowEngine, Bug::HandedCountsAsApplied),
    (Fault::Pause, Bug::OverdueWriteForgotten),
    (Fault::ClockJump, Bug::SessionOutlived),
];

/// How many seeds the first catch takes, and what broke.
fn caught(bug: Bug, without: &[Fault], budget: u64) -> Option<(u64, String)> {
    let hunt = Hunt {
        steps: STEPS,
        without: without.to_vec(),
        // What a named leader and its followers are exposed to; elections add to it.
        elections: Some(false),
        ..Hunt::new(bug, START, budget)
    };
    let (tried, violation) = hunt.run()?;
    Some((tried, violation.invariant))
}

/// What is wrong with a kind, if anything is.
fn judge(kind: Fault, bug: Bug) -> Option<String> {
    let name = kind.name();
    let with = caught(bug, &[], WITH);
    let seeds = with.as_ref().map_or(0, |(seeds, _)| *seeds).max(WITHOUT);
    let without = caught(bug, &[kind], seeds);
    println!("{name}: {bug:?}: with it {with:?}, without it {without:?}");
    match (with, without) {
        (None, _) => Some(format!("with {name}, nothing catches {bug:?}")),
        (Some(_), Some(found)) => Some(format!("without {name}, {bug:?} is caught by {found:?}")),
        (Some(_), None) => None,
    }
}

#[test]
fn without_its_kind_of_fault_a_planted_bug_escapes() {
    let proven: Vec<Fault> = EXPOSED.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(proven, Fault::ALL, "each kind has its bug");
    let (left, useless) = (Mutex::new(EXPOSED.iter()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = left.lock().unwrap().next();
            let Some((kind, bug)) = next else {
                return;
            };
            useless.lock().unwrap().extend(judge(*kind, *bug));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let useless = useless.into_inner().unwrap();
    assert!(useless.is_empty(), "{useless:#?}");
}
