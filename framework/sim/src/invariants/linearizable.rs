//! Leader reads and acknowledged writes are linearizable (SL6), judged twice: by the positions that
//! the answers name, for all keys and operations together, and by the checker's zones, which trust no
//! position, for the keys that are plain registers.

use repertoire_checker::{History, register};

use crate::client::{Ask, Ending, Level, Op};
use crate::invariants::Findings;

/// Judges one keyspace at the end of a run. `history` holds its register keys.
pub(crate) fn judge(group: usize, ops: &[Op], history: &History, findings: &mut Findings) {
    findings.absorb(register::check(history));
    let counts = |op: &&Op| {
        let level = !matches!(op.ask, Ask::Digest)
            && !matches!(op.ask, Ask::Get { level, .. } if level != Level::Leader);
        op.group == group && op.ending == Ending::Done && level
    };
    let mut by_invocation: Vec<&Op> = ops.iter().filter(counts).collect();
    by_invocation.sort_by_key(|op| op.invoked);
    let mut by_return = by_invocation.clone();
    by_return.sort_by_key(|op| op.returned);
    let mut returned = by_return.into_iter().peekable();
    let mut newest: Option<&Op> = None;
    for op in by_invocation {
        while let Some(earlier) = returned.next_if(|earlier| earlier.returned < op.invoked) {
            if newest.is_none_or(|newest| newest.position.lsn < earlier.position.lsn) {
                newest = Some(earlier);
            }
        }
        let Some(earlier) = newest else {
            continue;
        };
        let (before, after) = (earlier.position.lsn, op.position.lsn);
        let in_order = if op.ask.is_write() {
            before < after
        } else {
            before <= after
        };
        findings.require(in_order, "SL6.real-time-order", || {
            format!(
                "keyspace {group}: {:?} returned at {} ns with position {}, then {:?} was invoked \
                 at {} ns and took {}",
                earlier.ask, earlier.returned, earlier.position, op.ask, op.invoked, op.position
            )
        });
    }
}
