//! Ids that are given twice, ids that are not, and a worker that is kept out.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use fencing::{Ids, key_reuse, late_worker};
use repertoire_core::Error;

fn main() -> Result<(), Error> {
    for (ids, title) in [
        (Ids::Numbers, "ids are numbers"),
        (
            Ids::WithEpoch,
            "ids are numbers with the epoch of their leadership",
        ),
    ] {
        let reuse = key_reuse(ids)?;
        println!("{title}:");
        let given = reuse.given.iter().map(|(user, id)| format!("{user}={id}"));
        println!("  given: {}", given.collect::<Vec<_>>().join(" "));
        if reuse.leaks.is_empty() {
            println!("  nobody is shown what is not theirs");
        }
        for (user, secrets) in reuse.leaks {
            println!("  {user} is shown {secrets}");
        }
    }
    let worker = late_worker()?;
    println!("a file behind a fence:");
    for line in worker.written {
        println!("  written {line}");
    }
    match worker.late {
        Ok(()) => println!("  the worker of the past was let in"),
        Err(error) => println!("  the first worker again: {error}"),
    }
    Ok(())
}
