//! Every failure is one of the public kinds, says truthfully whether the write may still happen,
//! and is given for a reason (A8).

use repertoire_core::{Error, ErrorKind};

use crate::client::{Ask, Op};
use crate::invariants::Findings;

const ID: &str = "A8.errors";

/// Judges a failure that an operation met while it was still wanted.
pub(crate) fn judge(op: &Op, error: &Error, sessions_may_expire: bool, findings: &mut Findings) {
    let is_wrong = match error.kind() {
        ErrorKind::Unexpected
        | ErrorKind::Malformed
        | ErrorKind::RequestIdReuse
        | ErrorKind::UnknownKeyspace
        | ErrorKind::TooLarge { .. }
        | ErrorKind::Poisoned => true,
        ErrorKind::Conflict => !matches!(op.ask, Ask::Swap { .. }),
        ErrorKind::SessionExpired => !sessions_may_expire,
        ErrorKind::NotCaughtUp { .. } | ErrorKind::Discarded { .. } => op.ask.is_write(),
        _ => false,
    };
    findings.require(!is_wrong, ID, || {
        format!("{:?} of client {} ended with: {error}", op.ask, op.client)
    });
}
