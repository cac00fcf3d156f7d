//! Every kind of fault earns its place: for each there is a planted bug that some seeds catch, and that
//! the same seeds do not catch once this one kind is left out. `examples/planted.rs` prints the whole
//! matrix, over more seeds.

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Fault, Hunt};

/// Seeds of one hunt.
const BUDGET: u64 = 12;
const STEPS: u64 = 10_000;

/// Hunts that are tried: a change of anything makes other runs of the same seeds, and a rare situation may
/// then lie in others.
const HUNTS: u64 = 8;

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
    let exposes = |kind: Fault, bug: Bug| {
        (0..HUNTS).any(|number| {
            let seed = 1 + number * BUDGET;
            let Some(with) = hunt(bug, seed, &[]) else {
                return false;
            };
            let without = hunt(bug, seed, &[kind]);
            let name = kind.name();
            println!("{name}: {bug:?} from {seed} on: with it {with:?}, without it {without:?}");
            without.is_none()
        })
    };
    let mut useless: Vec<&str> = Fault::ALL.iter().map(|kind| kind.name()).collect();
    for (kind, bug) in EXPOSED {
        if exposes(kind, bug) {
            useless.retain(|name| *name != kind.name());
        }
    }
    assert!(
        useless.is_empty(),
        "in {HUNTS} hunts of {BUDGET} seeds, these kinds expose nothing that others do not: {useless:?}"
    );
}
