//! A request takes effect at most once (SL10): all acknowledgements of one request name one place.

use repertoire_core::EntryId;

use crate::client::{Ending, Op};
use crate::invariants::Findings;

/// Judges another acknowledgement of an operation that has ended.
pub(crate) fn judge_repeat(op: &Op, position: EntryId, findings: &mut Findings) {
    match op.ending {
        Ending::Done => findings.require(op.position == position, "SL10.at-most-once", || {
            format!(
                "{:?} of client {} was acknowledged at {} and at {position}",
                op.ask, op.client, op.position
            )
        }),
        Ending::Refused => findings.add("A8.errors", || {
            format!(
                "{:?} of client {} was refused as not applied, then acknowledged at {position}",
                op.ask, op.client
            )
        }),
        Ending::Open | Ending::Unknown => {}
    }
}
