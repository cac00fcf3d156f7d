//! Every kind of fault earns its place: for each there is a planted bug that some seeds catch, and that
//! the same seeds do not catch once this one kind is left out. `examples/planted.rs` prints the whole
//! matrix, over more seeds.

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Fault, Hunt};

/// Seeds of one hunt.
const BUDGET: u64 = 12;
const STEPS: u64 = 10_000;

/// A kind, a bug that takes it, and the first seed of the hunt.
const EXPOSED: [(Fault, Bug, u64); 14] = [
    (Fault::Drop, Bug::ProbeAskedOnce, 37),
    (Fault::Duplicate, Bug::FenceFromThePast, 1),
    (Fault::Reorder, Bug::OvertakenTakenForRepeated, 49),
    (Fault::Clog, Bug::SentCountsAsHeld, 37),
    (Fault::Partition, Bug::ReturnCountsAsCaughtUp, 13),
    (Fault::Crash, Bug::RecoverFewBursts, 1),
    (Fault::PowerLoss, Bug::RecoverPastTear, 1),
    (Fault::DiskFailure, Bug::FailedSyncIgnored, 1),
    (Fault::BitRot, Bug::RotTakenForTornTail, 37),
    (Fault::SlowDisk, Bug::BacklogCountsAsDurable, 1),
    (Fault::DiskFull, Bug::FullCountsAsWritten, 1),
    (Fault::SlowEngine, Bug::HandedCountsAsApplied, 1),
    (Fault::Pause, Bug::OverdueWriteForgotten, 37),
    (Fault::ClockJump, Bug::SessionOutlived, 37),
];

fn hunt(bug: Bug, seed: u64, without: &[Fault]) -> Option<(u64, String)> {
    let hunt = Hunt {
        steps: STEPS,
        without: without.to_vec(),
        ..Hunt::new(bug, seed, BUDGET)
    };
    let (seeds, violation) = hunt.run()?;
    Some((seeds, violation.invariant))
}

#[test]
fn without_its_kind_of_fault_a_planted_bug_escapes() {
    let mut useless = Vec::new();
    for kind in Fault::ALL {
        let mut exposes = false;
        for (_, bug, seed) in EXPOSED.iter().filter(|exposed| exposed.0 == *kind) {
            let (with, without) = (hunt(*bug, *seed, &[]), hunt(*bug, *seed, &[*kind]));
            println!(
                "{}: {bug:?} with it {with:?}, without it {without:?}",
                kind.name()
            );
            exposes |= with.is_some() && without.is_none();
        }
        if !exposes {
            useless.push(kind.name());
        }
    }
    assert!(
        useless.is_empty(),
        "in {BUDGET} seeds, these kinds expose nothing that the others do not: {useless:?}"
    );
}
