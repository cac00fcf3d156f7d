//! A bounded read sees everything that had been acknowledged by as long before it as it allowed
//! (LG-11). Monotonic clocks of nodes run up to 200 parts per million too slowly: that is the error.

use crate::client::{Ask, Ending, Level, Op};
use crate::clock::Nanos;
use crate::invariants::Findings;

/// Parts per million by which a clock may be slow, rounded up.
const SKEW_PPM: Nanos = 250;

/// The moment up to which everything acknowledged must be seen.
fn horizon(op: &Op) -> Option<Nanos> {
    let Ask::Get {
        level: Level::Bounded(age_max),
        ..
    } = op.ask
    else {
        return None;
    };
    op.invoked
        .checked_sub(age_max + age_max * SKEW_PPM / 1_000_000 + 1)
}

/// Judges one keyspace at the end of a run.
pub(crate) fn judge(group: usize, ops: &[Op], findings: &mut Findings) {
    let is_done = |op: &&Op| op.group == group && op.ending == Ending::Done;
    let reads = ops.iter().filter(is_done);
    let mut reads: Vec<(Nanos, &Op)> = reads.filter_map(|op| Some((horizon(op)?, op))).collect();
    reads.sort_by_key(|read| read.0);
    let mut writes: Vec<&Op> = ops
        .iter()
        .filter(is_done)
        .filter(|op| op.ask.is_write())
        .collect();
    writes.sort_by_key(|op| op.returned);
    let mut writes = writes.into_iter().peekable();
    let mut newest: Option<&Op> = None;
    for (horizon, read) in reads {
        while let Some(write) = writes.next_if(|write| write.returned < horizon) {
            if newest.is_none_or(|newest| newest.position.lsn < write.position.lsn) {
                newest = Some(write);
            }
        }
        let Some(write) = newest else {
            continue;
        };
        findings.require(read.position.lsn >= write.position.lsn, "SL7.bounded-staleness", || {
            format!(
                "keyspace {group}: {:?} was invoked at {} ns and read at {}, but {:?} had returned at \
                 {} ns with {}",
                read.ask, read.invoked, read.position, write.ask, write.returned, write.position
            )
        });
    }
}
