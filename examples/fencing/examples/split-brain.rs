//! Two leaders at once, without fences and with them.

#![allow(
    clippy::print_stdout,
    reason = "a command line: it prints what it finds"
)]

use fencing::{Defence, split_brain};
use repertoire_core::Error;
use repertoire_core::sabotage::plant;

/// When the first seat is asked for, in microseconds.
const SALE: u64 = 5_000;

fn main() -> Result<(), Error> {
    for (defence, title) in [
        (Defence::Nothing, "fencing off"),
        (Defence::Fence, "fencing on"),
        (
            Defence::Copies,
            "nobody hears the old leader, and writes wait for a copy",
        ),
    ] {
        let brains = split_brain(defence, plant)?;
        println!("{title}:");
        // How the nodes meet is the same each time.
        for happening in brains.trace.iter().filter(|it| it.at() >= SALE) {
            println!("{happening}");
        }
        let heard = |heard: Option<String>| heard.unwrap_or_else(|| "(nothing yet)".to_owned());
        println!("  alice, at the old leader: {}", heard(brains.alice));
        println!("  bob, at the new leader: {}", heard(brains.bob));
        let seats = (1..)
            .zip(brains.seat)
            .map(|(node, seat)| format!("n{node} {}", heard(seat)));
        println!(
            "  the seat in the end: {}\n",
            seats.collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}
