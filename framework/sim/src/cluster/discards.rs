//! Discarded writes: what a restart finds of them, and what must be listed in the end.

use repertoire_core::{
    Entry, EpochHistory, LogSlice, LogStore, RecoveredGroup, StreamId, read_discards,
};

use super::World;
use crate::cast::Cast;
use crate::invariants::discarded::{self, Outcome};
use crate::invariants::log_matching::Place;

impl<C: Cast> World<'_, C> {
    /// Reads the journal back, for the replica and for the harness' own account.
    pub(super) fn recover_discards(
        &mut self,
        n: usize,
        g: usize,
        recovered: &RecoveredGroup,
    ) -> Vec<Entry> {
        let id = self.plan.groups[g].id;
        let is_doubtful = self.nodes[n].has_rotted || recovered.damaged;
        let Some(store) = self.nodes[n].log.store.as_mut() else {
            return Vec::new();
        };
        let journal = match read_discards(store, id, recovered) {
            Ok(journal) => journal,
            Err(error) => {
                self.findings
                    .add("A3.recovery", || format!("node {n}, keyspace {g}: {error}"));
                return Vec::new();
            }
        };
        let mut log = Vec::new();
        let extent = recovered.streams.get(&StreamId(0)).cloned();
        let extent = extent.unwrap_or_default();
        let mut next = extent.base.lsn.next();
        while next <= extent.last.lsn && !is_doubtful {
            match store.read(id, StreamId(0), next, usize::MAX) {
                Ok(LogSlice::Entries(entries)) if !entries.is_empty() => {
                    next = entries.last().map_or(next, |entry| entry.last_lsn().next());
                    log.extend(entries);
                }
                // Whoever reads the tail judges that.
                _ => break,
            }
        }
        let book = &mut self.nodes[n].replicas[g].discards;
        book.is_doubtful |= is_doubtful;
        book.recovered(log, &journal);
        journal
    }

    /// Compares what each replica lists with what its log has dropped.
    pub(super) fn judge_discards(&mut self, g: usize) {
        let live = (0..self.nodes.len()).find_map(|n| self.engine(n, g));
        let Some(applied) = live.map(|engine| engine.applied().clone()) else {
            return;
        };
        let Ok(history) = postcard::from_bytes::<EpochHistory>(&applied.frontier) else {
            return;
        };
        let outcome = Outcome {
            history: &history,
            end: applied.lsn,
            records: &self.known[g].records,
        };
        for (n, node) in self.nodes.iter().enumerate() {
            let replica = &node.replicas[g];
            let Some(host) = replica.host.as_ref().filter(|_| !node.has_rotted) else {
                continue;
            };
            if let Some(journal) = host.discards() {
                let at = Place { node: n, group: g };
                let known = (journal, host.dedup());
                discarded::judge(at, &replica.discards, known, &outcome, &mut self.findings);
            }
        }
    }
}
