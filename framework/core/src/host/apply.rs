//! Applying entries: dedup, in log order, on every replica alike.

use super::{Host, Job, ReplayedEntry};
use crate::sabotage::{Bug, planted};
use crate::{Entry, Lsn, Machine, RecordReader, Remembered};

impl<M: Machine> Host<M> {
    /// Hands entries that became visible to the engine.
    pub(super) fn dispatch_apply(&mut self, entries: Vec<Entry>) -> Job {
        let mut replayed = Vec::with_capacity(entries.len());
        for entry in entries {
            assert!(
                entry.first == self.applied.lsn.next() || planted(Bug::ApplyPastHole),
                "{}: {} applied after {}",
                self.group,
                entry.first,
                self.applied
            );
            let skip = self.remember(&entry);
            self.applied = entry.last();
            self.backlog.handed(&entry);
            self.pace.applied(entry.encoded_len() as u64);
            replayed.push(ReplayedEntry {
                entry,
                skip,
                frontier: self.frontier.clone(),
            });
        }
        Job::Apply(replayed)
    }

    /// Notes the entry's records in the dedup table; returns those that were applied before.
    fn remember(&mut self, entry: &Entry) -> Vec<Lsn> {
        let lifetime = self.descriptor.options.session_lifetime_ms;
        if self.dedup.is_expiry_due(entry.wall, lifetime) {
            self.dedup
                .expire(crate::Wall(entry.wall.0.saturating_sub(lifetime)));
        }
        let mut skip = Vec::new();
        for record in RecordReader::new(entry).flatten() {
            if record.id.client.is_internal() {
                continue;
            }
            let result = bytes::Bytes::copy_from_slice(record.result);
            let remembered = Remembered {
                hash: record.hash,
                position: record.position,
                result,
            };
            let fresh = self.dedup.record(&record.id, entry.wall, remembered);
            if !fresh && !planted(Bug::DedupIgnored) {
                skip.push(record.position.lsn);
            }
        }
        skip
    }
}
