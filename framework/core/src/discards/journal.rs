//! The journal of one replica: what it discarded and nobody has settled.

use std::collections::{BTreeMap, BTreeSet};

use super::{DISCARDS, DISCARDS_BYTES_MAX, Mark, Settlement};
use crate::sabotage::{Bug, planted};
use crate::{
    Acks, ClientId, Effects, Entry, EntryId, LeaderEpoch, LogOp, Lsn, PayloadHash, Record,
    RecordReader, RequestId, Wall,
};

/// Records named by one settlement.
const SETTLED_AT_ONCE: usize = 256;

/// A record's name in the order of epochs, which the log has too.
type Key = (LeaderEpoch, Lsn);

const fn key(id: EntryId) -> Key {
    (id.epoch, id.lsn)
}

/// An entry, whole although some of its records may be settled.
#[derive(Clone, Debug)]
struct Kept {
    entry: Entry,
    was_visible: bool,
    /// Records that are not settled.
    open: u32,
}

/// A write that was discarded and is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// Where it stood in the log of that leadership.
    pub position: EntryId,
    /// The client's request.
    pub id: RequestId,
    /// Hash of that request's operation.
    pub hash: PayloadHash,
    /// When it was sealed, by the clock of its leader.
    pub wall: Wall,
    /// Copies that its acknowledgement waited for.
    pub acks: Acks,
    /// Whether it was visible at this replica: then it was acknowledged, or was about to be.
    pub was_visible: bool,
    /// Who can read the payload.
    pub format: crate::FormatTag,
    /// What the request returned.
    pub result: bytes::Bytes,
    /// What it changed, in the log format.
    pub payload: bytes::Bytes,
}

impl Discarded {
    /// Whether its client was probably told that it is done. A write that waits for no copies is
    /// acknowledged by the leader alone, before anybody else can tell.
    pub fn is_likely_acknowledged(&self) -> bool {
        self.was_visible || self.acks == Acks::Async
    }
}

/// What a replica has discarded and nobody has settled. See the [module](super).
///
/// A protocol calls [`discard`](Self::discard) before it truncates or resets its log in the same
/// step, and [`applied`](Self::applied) with everything that becomes visible.
///
/// ```
/// use repertoire_core::{Effects, Entry, Journal, Lsn};
/// let mut journal = Journal::recover(Lsn::ZERO, &[]);
/// let mut fx = Effects::<()>::default();
/// journal.discard(&Entry { count: 1, ..Entry::default() }, false, &mut fx);
/// assert_eq!(journal.len(), 0, "an entry without clients' records is nobody's loss");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// The end of the stream.
    last: Lsn,
    entries: BTreeMap<Key, Kept>,
    /// Which records are open, and in which entry.
    open: BTreeMap<Key, (ClientId, u64, Key)>,
    requests: BTreeSet<(ClientId, u64, Key)>,
    /// What cannot be listed: first record and number.
    unlisted: BTreeMap<Key, u64>,
    /// Bytes of the entries.
    bytes: u64,
}

impl Journal {
    /// The journal as the replica's log holds it: a stream that ends at `last`, with those entries.
    pub fn recover(last: Lsn, stream: &[Entry]) -> Self {
        let mut journal = Self::default();
        if planted(Bug::JournalForgottenAtBoot) {
            journal.last = last;
            return journal;
        }
        for entry in stream {
            match Mark::from_bytes(&entry.body) {
                Ok(Mark::Entry { entry, was_visible }) => journal.add(entry, was_visible),
                Ok(Mark::Unlisted { first, records }) => {
                    journal.unlisted.insert(key(first), records);
                }
                Ok(Mark::Settled { records, .. }) => {
                    records.iter().for_each(|id| journal.close(key(*id)));
                }
                // Checksums are the log's business: this is of a later version.
                Err(_) => {
                    let first = (entry.epoch, entry.first);
                    journal.unlisted.insert(first, 1);
                }
            }
        }
        journal.last = last;
        journal
    }

    /// Notes an entry that is about to be dropped. One that is in the journal already, because a
    /// crash came between the two, is there once.
    pub fn discard<M>(&mut self, entry: &Entry, was_visible: bool, fx: &mut Effects<M>) {
        let mut records = RecordReader::new(entry);
        // The framework's own writes are made again by whoever leads.
        let is_own = |record: Result<Record<'_>, _>| {
            record.is_ok_and(|record| record.id.client.is_internal())
        };
        if records.all(is_own) || self.entries.contains_key(&(entry.epoch, entry.first)) {
            return;
        }
        let first = EntryId::new(entry.epoch, entry.first);
        let is_too_much = self.bytes + entry.encoded_len() as u64 > DISCARDS_BYTES_MAX;
        if is_too_much || RecordReader::new(entry).any(|record| record.is_err()) {
            self.forgo(first, entry.count.into(), fx);
            return;
        }
        let entry = entry.clone();
        self.append(
            &Mark::Entry {
                entry: entry.clone(),
                was_visible,
            },
            fx,
        );
        fx.count("write-discarded", entry.count.into());
        self.add(entry, was_visible);
    }

    /// Notes that `records` records from `first` on are dropped that cannot be listed.
    pub fn forgo<M>(&mut self, first: EntryId, records: u64, fx: &mut Effects<M>) {
        if records > 0 && !self.unlisted.contains_key(&key(first)) {
            self.append(&Mark::Unlisted { first, records }, fx);
            self.unlisted.insert(key(first), records);
            fx.count("write-discarded-unlisted", records);
        }
    }

    // ANCHOR: applied
    /// An entry becomes visible: requests that it carries out are not discarded any more.
    pub fn applied<M>(&mut self, entry: &Entry, fx: &mut Effects<M>) {
        if self.requests.is_empty() {
            return;
        }
        let mut kept = Vec::new();
        for record in RecordReader::new(entry).flatten() {
            kept.extend(self.of_request(record.id.client, record.id.seq));
        }
        self.settle(&kept, Settlement::Kept, fx);
    }
    // ANCHOR_END: applied

    /// The open records of a request.
    fn of_request(&self, client: ClientId, seq: u64) -> impl Iterator<Item = EntryId> + '_ {
        let lowest = (LeaderEpoch(0), Lsn(0));
        let highest = (LeaderEpoch(u64::MAX), Lsn(u64::MAX));
        let range = (client, seq, lowest)..=(client, seq, highest);
        let found = self.requests.range(range);
        found.map(|(_, _, (epoch, lsn))| EntryId::new(*epoch, *lsn))
    }

    /// Settles records, or unlisted ranges by their first record. Those that are not open are passed
    /// over. Returns how many were settled.
    pub fn settle<M>(
        &mut self,
        records: &[EntryId],
        how: Settlement,
        fx: &mut Effects<M>,
    ) -> usize {
        let is_open = |id: &&EntryId| {
            self.open.contains_key(&key(**id)) || self.unlisted.contains_key(&key(**id))
        };
        let records: Vec<EntryId> = records.iter().filter(is_open).copied().collect();
        for part in records.chunks(SETTLED_AT_ONCE) {
            let records = part.to_vec();
            self.append(&Mark::Settled { records, how }, fx);
            part.iter().for_each(|id| self.close(key(*id)));
        }
        if !records.is_empty() {
            fx.count("write-settled", records.len() as u64);
            self.clear_if_settled(fx);
        }
        records.len()
    }

    /// Gives the room on disk back once nothing is open.
    fn clear_if_settled<M>(&mut self, fx: &mut Effects<M>) {
        if self.open.is_empty() && self.unlisted.is_empty() {
            let base = EntryId::new(LeaderEpoch::NONE, self.last);
            let stream = DISCARDS;
            fx.log(LogOp::Reset { stream, base });
        }
    }

    /// Writes everything that is open anew: parts of the stream may be damaged.
    pub fn rewrite<M>(&mut self, fx: &mut Effects<M>) {
        if self.last == Lsn::ZERO {
            return;
        }
        let base = EntryId::new(LeaderEpoch::NONE, self.last);
        let stream = DISCARDS;
        fx.log(LogOp::Reset { stream, base });
        let mut marks = Vec::new();
        let mut settled = Vec::new();
        for kept in self.entries.values() {
            let records = RecordReader::new(&kept.entry).flatten();
            let closed = records.filter(|record| !self.open.contains_key(&key(record.position)));
            settled.extend(closed.map(|record| record.position));
            marks.push(Mark::Entry {
                entry: kept.entry.clone(),
                was_visible: kept.was_visible,
            });
        }
        for ((epoch, lsn), records) in &self.unlisted {
            marks.push(Mark::Unlisted {
                first: EntryId::new(*epoch, *lsn),
                records: *records,
            });
        }
        for part in settled.chunks(SETTLED_AT_ONCE) {
            marks.push(Mark::Settled {
                records: part.to_vec(),
                how: Settlement::Kept,
            });
        }
        marks.iter().for_each(|mark| self.append(mark, fx));
    }

    /// The writes that wait for a decision, in the order of their positions.
    pub fn open(&self) -> impl Iterator<Item = Discarded> + '_ {
        self.entries.values().flat_map(|kept| {
            let records = RecordReader::new(&kept.entry).flatten();
            let open = records.filter(|record| self.open.contains_key(&key(record.position)));
            open.map(|record| Discarded {
                position: record.position,
                id: record.id,
                hash: record.hash,
                wall: kept.entry.wall,
                acks: kept.entry.acks,
                was_visible: kept.was_visible,
                format: kept.entry.format,
                result: kept.entry.body.slice_ref(record.result),
                payload: kept.entry.body.slice_ref(record.payload),
            })
        })
    }

    /// Names and requests of the open writes: what [`open`](Self::open) lists, cheaper.
    pub fn open_requests(&self) -> impl Iterator<Item = (EntryId, ClientId, u64)> + '_ {
        let named = |(at, (client, seq, _)): (&Key, &(ClientId, u64, Key))| {
            (EntryId::new(at.0, at.1), *client, *seq)
        };
        self.open.iter().map(named)
    }

    /// Ranges that were discarded and cannot be listed: the first record of each, and how many.
    pub fn unlisted(&self) -> impl Iterator<Item = (EntryId, u64)> + '_ {
        let named = |(at, records): (&Key, &u64)| (EntryId::new(at.0, at.1), *records);
        self.unlisted.iter().map(named)
    }

    /// Writes that wait for a decision.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether nothing waits for a decision.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.unlisted.is_empty()
    }

    fn append<M>(&mut self, mark: &Mark, fx: &mut Effects<M>) {
        self.last = self.last.next();
        let entry = Entry {
            first: self.last,
            count: 1,
            body: mark.to_bytes(),
            ..Entry::default()
        };
        let stream = DISCARDS;
        fx.log(LogOp::Append { stream, entry });
    }

    fn add(&mut self, entry: Entry, was_visible: bool) {
        let at = (entry.epoch, entry.first);
        if self.entries.contains_key(&at) {
            return;
        }
        let mut open = 0;
        for record in RecordReader::new(&entry).flatten() {
            let (place, id) = (key(record.position), record.id);
            if id.client.is_internal() {
                continue;
            }
            self.open.insert(place, (id.client, id.seq, at));
            self.requests.insert((id.client, id.seq, place));
            open += 1;
        }
        if open == 0 {
            return;
        }
        self.bytes += entry.encoded_len() as u64;
        let kept = Kept {
            entry,
            was_visible,
            open,
        };
        self.entries.insert(at, kept);
    }

    /// Forgets a record, and with its last one the entry.
    fn close(&mut self, place: Key) {
        self.unlisted.remove(&place);
        let Some((client, seq, at)) = self.open.remove(&place) else {
            return;
        };
        self.requests.remove(&(client, seq, place));
        let Some(kept) = self.entries.get_mut(&at) else {
            return;
        };
        kept.open -= 1;
        if kept.open == 0
            && let Some(kept) = self.entries.remove(&at)
        {
            self.bytes -= kept.entry.encoded_len() as u64;
        }
    }
}

#[cfg(test)]
#[path = "journal_test.rs"]
mod tests;
