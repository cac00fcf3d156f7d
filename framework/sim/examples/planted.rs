//! Hunts every planted bug: `planted [starts] [budget] [steps]`. With `without` as the fourth
//! argument, hunts again without each fault kind in turn, and says which bugs then escape.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Fault, Hunt};

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = |default: u64| {
        args.next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (starts, budget, steps) = (next(3), next(40), next(10_000));
    let hunt = |bug, start: u64, without: Vec<Fault>| {
        let seed = 1 + start * 100_000;
        let hunt = Hunt {
            steps,
            without,
            ..Hunt::new(bug, seed, budget)
        };
        hunt.run()
    };
    let mut caught = Vec::new();
    for bug in Bug::ALL {
        let found: Vec<_> = (0..starts)
            .map(|start| hunt(bug, start, Vec::new()))
            .collect();
        let mut seeds: Vec<u64> = found.iter().flatten().map(|found| found.0).collect();
        seeds.sort_unstable();
        let ids: Vec<&str> = found
            .iter()
            .flatten()
            .map(|found| &*found.1.invariant)
            .collect();
        println!(
            "{bug:?}: {}/{starts} caught, seeds {seeds:?}, by {ids:?}",
            seeds.len()
        );
        let of = |(start, found): (u64, &Option<_>)| found.is_some().then_some((bug, start));
        caught.extend((0..).zip(&found).filter_map(of));
    }
    if std::env::args().nth(4).as_deref() == Some("without") {
        for kind in Fault::ALL {
            let escapes = |(bug, start): &&(Bug, u64)| hunt(*bug, *start, vec![*kind]).is_none();
            let mut escaped: Vec<Bug> = caught.iter().filter(escapes).map(|it| it.0).collect();
            escaped.dedup();
            println!("without {}: {escaped:?} escape", kind.name());
        }
    }
}
