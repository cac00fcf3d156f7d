//! What one replica's log has dropped of its clients' writes: the harness' own account, kept from the
//! operations alone.

use std::collections::{BTreeMap, BTreeSet};

use repertoire_core::{
    ClientId, DISCARDS, Entry, EntryId, LeaderEpoch, LogOp, Lsn, Mark, RecordReader,
};

/// A record's epoch and place, which sort.
pub(crate) type Place = (u64, u64);

/// A client's request: who, and the how-manieth.
pub(crate) type Request = (ClientId, u64);

/// The account of one replica.
#[derive(Debug, Default)]
pub(crate) struct DiscardBook {
    /// The log's entries, by first position.
    log: BTreeMap<u64, Entry>,
    /// Records that the journal has ever named.
    journal: BTreeSet<Place>,
    /// First record and number of what it could not list.
    unlisted: Vec<(Place, u64)>,
    /// What the log has dropped; whether the disk has synced that.
    pub(crate) dropped: BTreeMap<Place, (Request, bool)>,
    /// Parts of the log were lost to its disk: nothing can be said any more.
    pub(crate) is_doubtful: bool,
}

pub(crate) fn place(id: EntryId) -> Place {
    (id.epoch.0, id.lsn.0)
}

/// The clients' records of an entry.
pub(crate) fn records(entry: &Entry) -> impl Iterator<Item = (Place, Request)> + '_ {
    let records = RecordReader::new(entry).flatten();
    let records = records.filter(|record| !record.id.client.is_internal());
    records.map(|record| (place(record.position), (record.id.client, record.id.seq)))
}

impl DiscardBook {
    /// A restart found this in the log and in its journal. What was dropped and not synced may be
    /// undone by that, or was never durable in the first place.
    pub(crate) fn recovered(&mut self, log: Vec<Entry>, journal: &[Entry]) {
        self.log = log
            .into_iter()
            .map(|entry| (entry.first.0, entry))
            .collect();
        self.journal.clear();
        self.unlisted.clear();
        for entry in journal {
            self.note(entry);
        }
        let back: BTreeSet<Place> = self.log.values().flat_map(records).map(|it| it.0).collect();
        let journal = &self.journal;
        self.dropped.retain(|at, (_, is_synced)| {
            !back.contains(at) && (*is_synced || journal.contains(at))
        });
    }

    /// Everything written is on stable storage.
    pub(crate) fn sync(&mut self) {
        for (_, is_synced) in self.dropped.values_mut() {
            *is_synced = true;
        }
    }

    /// Takes an operation over. Returns a record that is truncated and not in the journal.
    pub(crate) fn write(&mut self, op: &LogOp) -> Option<Place> {
        match op {
            LogOp::Append { stream, entry } if *stream == DISCARDS => self.note(entry),
            LogOp::Append { entry, .. } => drop(self.log.insert(entry.first.0, entry.clone())),
            LogOp::Truncate { last, .. } => return self.cut(last.0 + 1),
            LogOp::Reset { stream, .. } if *stream != DISCARDS => drop(self.cut(0)),
            LogOp::Reset { .. }
            | LogOp::HardState(_)
            | LogOp::Checkpoint { .. }
            | LogOp::Repaired => {}
        }
        None
    }

    fn note(&mut self, entry: &Entry) {
        match Mark::from_bytes(&entry.body) {
            Ok(Mark::Entry { entry, .. }) => {
                self.journal.extend(records(&entry).map(|record| record.0));
            }
            Ok(Mark::Unlisted { first, records }) => self.unlisted.push((place(first), records)),
            Ok(Mark::Settled { .. }) => {}
            Err(_) => self.is_doubtful = true,
        }
    }

    fn cut(&mut self, from: u64) -> Option<Place> {
        let cut = self.log.split_off(&from);
        let mut missing = None;
        for (at, request) in cut.values().flat_map(records) {
            self.dropped.entry(at).or_insert((request, false));
            if !self.journal.contains(&at) && !self.is_unlisted(at) {
                missing = missing.or(Some(at));
            }
        }
        missing
    }

    /// Whether the journal says that it cannot list this one.
    pub(crate) fn is_unlisted(&self, at: Place) -> bool {
        let covers = |(first, records): &(Place, u64)| {
            (first.1..first.1 + records).contains(&at.1) && at.0 >= first.0
        };
        self.unlisted.iter().any(covers)
    }
}

/// The name of a record.
pub(crate) fn name((epoch, lsn): Place) -> EntryId {
    EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
}
