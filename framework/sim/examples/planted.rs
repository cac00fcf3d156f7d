//! Hunts planted bugs and prints the matrix of bugs and fault kinds: `planted [starts] [budget] [steps]
//! [bugs]`. For each bug the median of the seeds that it took, with every fault, and then without each
//! kind; `-` where it escaped. Exit code 1 when a bug escaped from all faults, or when no bug escapes for
//! want of some kind. `bugs` limits it to bugs whose names contain one of some words, with commas
//! between; then the exit code says nothing.
//!
//! `planted hunt [first seed] [budget] [steps] [bugs] [without]` tells in words what one hunt finds.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use std::process::ExitCode;
use std::sync::Mutex;

use repertoire_core::sabotage::Bug;
use repertoire_sim::{Fault, Hunt};

#[derive(Clone, Copy)]
struct Sizes {
    starts: u64,
    budget: u64,
    steps: u64,
}

/// What became of one bug: the seeds that it took, with everything and then without each kind.
struct Row {
    bug: Bug,
    all: Option<u64>,
    without: Vec<Option<u64>>,
    caught_by: String,
}

/// The median of the seeds that a hunt takes from several starts, and what caught the bug; none when it
/// escaped from most of them.
fn median(bug: Bug, without: &[Fault], sizes: Sizes) -> (Option<u64>, String) {
    let hunt = |start: u64| {
        let hunt = Hunt {
            steps: sizes.steps,
            without: without.to_vec(),
            ..Hunt::new(bug, 1 + start * 100_000, sizes.budget)
        };
        let caught = hunt.run();
        caught.map_or((u64::MAX, String::new()), |(seeds, violation)| {
            (seeds, violation.invariant)
        })
    };
    let mut found: Vec<(u64, String)> = (0..sizes.starts).map(hunt).collect();
    found.sort();
    let (seeds, by) = found.swap_remove(found.len() / 2);
    ((seeds < u64::MAX).then_some(seeds), by)
}

fn row(bug: Bug, sizes: Sizes) -> Row {
    let (all, caught_by) = median(bug, &[], sizes);
    let without = |kind: &Fault| all.and_then(|_| median(bug, &[*kind], sizes).0);
    Row {
        bug,
        all,
        without: Fault::ALL.iter().map(without).collect(),
        caught_by,
    }
}

fn show(row: &Row) {
    let cell = |seeds: &Option<u64>| {
        let text = seeds.map_or("-".to_owned(), |seeds| seeds.to_string());
        format!("{text:>5}")
    };
    let name = format!("{:?}", row.bug);
    let cells: Vec<String> = row.without.iter().map(cell).collect();
    println!(
        "{name:<26} {} {}  {}",
        cell(&row.all),
        cells.join(" "),
        row.caught_by
    );
}

/// Whether every bug was caught, and every kind is needed for one.
fn judge(rows: &[Row]) -> bool {
    let mut is_good = true;
    for row in rows.iter().filter(|row| row.all.is_none()) {
        println!("{:?} escapes", row.bug);
        is_good = false;
    }
    for (at, kind) in Fault::ALL.iter().enumerate() {
        let caught = rows.iter().filter(|row| row.all.is_some());
        let lost = caught.filter(|row| row.without.get(at) == Some(&None));
        let lost: Vec<String> = lost.map(|row| format!("{:?}", row.bug)).collect();
        println!("without {}: {} escape", kind.name(), lost.join(", "));
        is_good &= !lost.is_empty();
    }
    is_good
}

fn hunt(args: &[String]) {
    let number = |at: usize, default: u64| {
        let given = args.get(at).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let words = |at: usize| args.get(at).cloned().unwrap_or_default();
    let left_out = words(4);
    let is_left_out = |kind: &&Fault| left_out.split(',').any(|name| name == kind.name());
    let without: Vec<Fault> = Fault::ALL.iter().filter(is_left_out).copied().collect();
    for bug in chosen(&words(3)) {
        let hunt = Hunt {
            steps: number(2, 10_000),
            without: without.clone(),
            ..Hunt::new(bug, number(0, 1), number(1, 60))
        };
        match hunt.run() {
            None => println!("{bug:?}: escapes"),
            Some((seeds, found)) => println!(
                "{bug:?}: {seeds} seeds, {}: {}",
                found.invariant, found.detail
            ),
        }
    }
}

fn chosen(words: &str) -> Vec<Bug> {
    let is_meant = |bug: &Bug| {
        words
            .split(',')
            .any(|word| format!("{bug:?}").contains(word))
    };
    Bug::ALL.into_iter().filter(is_meant).collect()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|word| word == "hunt") {
        hunt(args.get(1..).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    let number = |at: usize, default: u64| {
        let given = args.get(at).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let sizes = Sizes {
        starts: number(0, 3).max(1),
        budget: number(1, 60),
        steps: number(2, 10_000),
    };
    for (at, kind) in Fault::ALL.iter().enumerate() {
        println!("{at:>3}  {}", kind.name());
    }
    let heads: Vec<String> = (0..Fault::ALL.len()).map(|at| format!("{at:>5}")).collect();
    println!("{:<26}   all {}  caught by", "planted bug", heads.join(" "));
    let words = args.get(3).cloned().unwrap_or_default();
    let bugs = Mutex::new(chosen(&words).into_iter());
    let rows = Mutex::new(Vec::new());
    let work = || {
        while let Some(bug) = bugs.lock().ok().and_then(|mut bugs| bugs.next()) {
            let row = row(bug, sizes);
            show(&row);
            if let Ok(mut rows) = rows.lock() {
                rows.push(row);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let rows = rows.into_inner().unwrap_or_default();
    if judge(&rows) || !words.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
