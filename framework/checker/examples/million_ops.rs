//! Times the zone checker on many operations on one key: a million, or as many as the argument
//! says. Half are writes; about ten operations overlap at any time.

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use repertoire_checker::{History, OpId, OpKind, Operation, SessionId, WriteId, register};

#[allow(
    clippy::disallowed_methods,
    reason = "a measurement needs a clock; the library has none"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let operations: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |count| count.parse())?;
    let history = history(operations)?;
    let start = Instant::now();
    let report = register::check(&history);
    let elapsed = start.elapsed();
    writeln!(io::stdout(), "{operations} operations in {elapsed:.2?}")?;
    report.into_result()?;
    Ok(())
}

/// Operations that take effect 10 ns apart, each within an interval of up to 100 ns.
fn history(operations: u64) -> Result<History, Box<dyn Error>> {
    let mut history = History::new();
    let mut current = None;
    let mut random = 1_u64;
    for id in 1..=operations {
        // Knuth's MMIX generator: cheap, and the same history every time.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let kind = if random >> 63 == 0 {
            current = Some(WriteId(id.into()));
            OpKind::Write {
                id: WriteId(id.into()),
            }
        } else {
            OpKind::Read { observed: current }
        };
        let (before_ns, after_ns) = ((random >> 32) % 50, (random >> 40) % 50);
        let instant_ns = 100 + id * 10;
        let operation = Operation::new(
            OpId(id),
            SessionId(id % 10),
            "k",
            kind,
            instant_ns - before_ns,
        );
        history.push(operation.ok(instant_ns + after_ns))?;
    }
    Ok(history)
}
