//! Consistent prefix (SL7): an answer is exactly what the log up to the position that it names makes.

use repertoire_core::EntryId;

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;
use crate::invariants::state_machine::Canon;
use crate::watch::{Content, KeyId};

/// Judges an answer at the moment it is given.
pub(crate) fn judge(
    at: Place,
    key: KeyId,
    position: EntryId,
    seen: Content,
    canon: &Canon,
    findings: &mut Findings,
) {
    let version = canon.at(key, position.lsn.0);
    let expected = version.map_or(Content::Absent, |version| version.content);
    let has_expired = seen == Content::Absent && version.is_some_and(|version| version.expires);
    findings.require(
        seen == expected || has_expired,
        "SL7.consistent-prefix",
        || format!("{at:?}: {key:?} read as {seen:?} at {position}, where it is {expected:?}"),
    );
}
