//! Keyspaces are isolated (A6): nothing that was written to one shows up in another.

use crate::client::Op;
use crate::invariants::Findings;
use crate::watch::{Content, Stamp};

/// Judges a value found in keyspace `group`, given who wrote which stamp.
pub(crate) fn judge(
    group: usize,
    content: Content,
    writer: impl Fn(Stamp) -> Option<usize>,
    ops: &[Op],
    findings: &mut Findings,
) {
    let Content::Written(stamp) = content else {
        return;
    };
    if let Some(number) = writer(stamp) {
        let written = ops[number].group;
        findings.require(written == group, "A6.isolation", || {
            format!("keyspace {group} holds {stamp:?}, which was written to keyspace {written}")
        });
    }
}
