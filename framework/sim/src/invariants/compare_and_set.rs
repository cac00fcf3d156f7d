//! A compare-and-set that succeeded found what it expected, and a counter moves by one at a time:
//! evaluations see every earlier write (SL6).

use crate::client::{Ask, Ending, Op};
use crate::invariants::Findings;
use crate::invariants::state_machine::Canon;
use crate::watch::{Content, KeyKind};

const ID: &str = "SL6.evaluation";

/// Judges all swaps and counters of one keyspace at the end of a run.
pub(crate) fn judge(group: usize, ops: &[Op], canon: &Canon, findings: &mut Findings) {
    for op in ops.iter().filter(|op| op.group == group) {
        let Ask::Swap {
            key,
            expected,
            stamp,
        } = op.ask
        else {
            continue;
        };
        let Some(found) = canon.before(key, stamp) else {
            continue;
        };
        let wanted = expected.map_or(Content::Absent, Content::Written);
        findings.require(found == wanted, ID, || {
            format!("keyspace {group}: {key:?} swapped to {stamp:?} from {found:?}, not {wanted:?}")
        });
        findings.require(op.ending != Ending::Refused, "A2.phantom", || {
            format!("keyspace {group}: {stamp:?} on {key:?} was refused, and took effect")
        });
    }
    for key in canon.keys().filter(|key| key.kind == KeyKind::Counter) {
        let mut sum = 0;
        for version in canon.versions(key) {
            sum += 1;
            findings.require(version.content == Content::Number(sum), ID, || {
                format!(
                    "keyspace {group}: {key:?} went from {} to {:?}",
                    sum - 1,
                    version.content
                )
            });
        }
    }
}
