//! No silent discard (SL4): the journal of each replica lists exactly what its log has dropped of its
//! clients' writes and the history does not hold.

use std::collections::{BTreeMap, BTreeSet};

use repertoire_core::{
    Containment, DedupTable, EpochHistory, Journal, Lsn, PayloadHash, RequestId, Verdict,
};

use crate::invariants::Findings;
use crate::invariants::log_matching::Place as At;
use crate::watch::discards::{DiscardBook, Place, Request, name, place};

const ID: &str = "SL4.no-silent-discard";

/// Judges an operation as it is ordered: what is truncated is in the journal already. Of what a
/// snapshot replaces that cannot be said yet: most of it is in the snapshot.
pub(crate) fn judge_order(at: At, missing: Option<Place>, findings: &mut Findings) {
    findings.require(missing.is_none(), ID, || {
        let record = name(missing.unwrap_or_default());
        format!("{at:?}: truncates {record}, which is not in the journal of discarded writes")
    });
}

/// What the group has become.
pub(crate) struct Outcome<'a> {
    pub(crate) history: &'a EpochHistory,
    pub(crate) end: Lsn,
    /// Every record that any log was ever given.
    pub(crate) records: &'a BTreeMap<Place, Request>,
}

impl Outcome<'_> {
    fn holds(&self, at: Place) -> bool {
        self.history.contains(name(at), self.end) == Containment::Contained
    }
}

/// Judges one replica once all have come to rest.
pub(crate) fn judge(
    at: At,
    book: &DiscardBook,
    (journal, dedup): (&Journal, &DedupTable),
    outcome: &Outcome<'_>,
    findings: &mut Findings,
) {
    if book.is_doubtful {
        return;
    }
    let held = outcome.records.iter().filter(|(at, _)| outcome.holds(**at));
    let executed: BTreeSet<Request> = held.map(|(_, request)| *request).collect();
    let listed: BTreeMap<Place, Request> = journal
        .open_requests()
        .map(|(id, client, seq)| (place(id), (client, seq)))
        .collect();
    for (record, (request, _)) in &book.dropped {
        let is_lost = !outcome.holds(*record) && !executed.contains(request);
        let is_listed = listed.contains_key(record) || book.is_unlisted(*record);
        findings.require(!is_lost || is_listed, ID, || {
            let id = name(*record);
            format!("{at:?}: {id} of {request:?} is gone, and its journal does not list it")
        });
    }
    for (record, request) in &listed {
        let is_dropped = book.dropped.contains_key(record) && !outcome.holds(*record);
        // A snapshot of later may not remember the request any more.
        let id = RequestId {
            client: request.0,
            seq: request.1,
            acked_upto: 0,
        };
        let is_forgotten = dedup.check(&id, PayloadHash::default()) == Verdict::Expired;
        let is_lost = is_dropped && (!executed.contains(request) || is_forgotten);
        findings.require(is_lost, ID, || {
            let id = name(*record);
            format!("{at:?}: {id} of {request:?} is listed as discarded, and was not")
        });
    }
}
