//! Reading entries back.

use bytes::{Bytes, BytesMut};
use repertoire_core::{Entry, Error, ErrorKind, GroupId, LogSlice, Lsn, StreamId};

use crate::format::{Kind, RECORD_HEAD_BYTES, RecordHead, record_len};
use crate::index::{Place, Slot};
use crate::{Disk, SegmentLog};

impl<D: Disk> SegmentLog<D> {
    pub(crate) fn read_entries(
        &mut self,
        group: GroupId,
        stream: StreamId,
        from: Lsn,
        bytes_max: usize,
    ) -> Result<LogSlice, Error> {
        let Some(index) = self.index.stream(group, stream) else {
            return Ok(LogSlice::Entries(Vec::new()));
        };
        if from <= index.base().lsn {
            let base = index.base();
            return Ok(LogSlice::Trimmed { base });
        }
        let slots = consecutive(index.slots_from(from), from, bytes_max);
        if slots.is_empty() && from <= index.last().lsn {
            return Err(damaged(group, stream, from).with("reason", "the entry was lost"));
        }
        let mut entries = Vec::with_capacity(slots.len());
        for run in slots.chunk_by(|a, b| adjacent(&a.place, &b.place)) {
            self.read_run(group, stream, run, &mut entries)?;
        }
        Ok(LogSlice::Entries(entries))
    }

    /// Reads entries whose records follow each other, with one read.
    fn read_run(
        &mut self,
        group: GroupId,
        stream: StreamId,
        run: &[Slot],
        entries: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        let (Some(start), Some(end)) = (run.first(), run.last()) else {
            return Ok(());
        };
        let start = start.place;
        let upto = end.place.offset + RECORD_HEAD_BYTES + end.place.payload_len;
        let bytes = self.read_range(start, upto - start.offset)?;
        for slot in run {
            let from = (slot.place.offset - start.offset) as usize;
            let record = bytes.slice(from.min(bytes.len())..);
            let entry = self.decode_entry(group, stream, slot, &record);
            entries.push(entry.ok_or_else(|| {
                damaged(group, stream, slot.first).with("segment", slot.place.sequence)
            })?);
        }
        Ok(())
    }

    fn decode_entry(
        &self,
        group: GroupId,
        stream: StreamId,
        slot: &Slot,
        record: &Bytes,
    ) -> Option<Entry> {
        let head = self.checked_head(&slot.place, record)?;
        let len = head.payload_len as usize;
        let start = RECORD_HEAD_BYTES as usize;
        let mut payload = record.slice(start..start + len);
        let entry = Entry::decode(&mut payload).ok()?;
        let expected = head.kind == Kind::Append as u8
            && (head.group, head.stream) == (group, stream)
            && (entry.first, entry.count, entry.epoch) == (slot.first, slot.count, slot.epoch);
        expected.then_some(entry)
    }

    /// The record's head, when all its checks hold and it is the one that lies at `place`.
    fn checked_head(&self, place: &Place, record: &[u8]) -> Option<RecordHead> {
        let head = RecordHead::parse(record, self.seed, place.sequence, place.offset)?;
        head.payload(record, self.seed)?;
        (head.order == place.order && head.payload_len == place.payload_len).then_some(head)
    }

    /// Reads a whole record back; `None` when it is damaged or cannot be read.
    pub(crate) fn read_record(&mut self, place: Place) -> Option<Bytes> {
        let len = RECORD_HEAD_BYTES + place.payload_len;
        let record = self.read_range(place, len).ok()?;
        self.checked_head(&place, &record)?;
        Some(record.slice(RECORD_HEAD_BYTES as usize..))
    }

    fn read_range(&mut self, start: Place, len: u32) -> Result<Bytes, Error> {
        let segment = self.segments.live.get(&start.sequence);
        let file = segment.map(|segment| segment.file.file);
        let file = file.ok_or_else(|| {
            Error::new(ErrorKind::Corrupted, "reading the log")
                .with("reason", "the record was lost")
        })?;
        let mut bytes = BytesMut::zeroed(len as usize);
        let read = self.disk.read_at(file, start.offset.into(), &mut bytes);
        read.map_err(|error| {
            Error::new(ErrorKind::StorageFailed, "reading the log").with("disk", error)
        })?;
        Ok(bytes.freeze())
    }
}

/// The slots to answer with: from the one that holds `from`, without holes, within `bytes_max`.
fn consecutive<'a>(
    slots: impl Iterator<Item = &'a Slot>,
    from: Lsn,
    bytes_max: usize,
) -> Vec<Slot> {
    let mut taken: Vec<Slot> = Vec::new();
    let mut bytes = 0;
    for slot in slots {
        let follows = match taken.last() {
            None => slot.first <= from,
            Some(before) => slot.first == before.last().lsn.next(),
        };
        bytes += slot.place.payload_len as usize;
        if !follows || (bytes > bytes_max && !taken.is_empty()) {
            break;
        }
        taken.push(*slot);
    }
    taken
}

/// Whether one record directly follows the other; a burst's header may lie between them.
fn adjacent(a: &Place, b: &Place) -> bool {
    let end = a.offset + record_len(a.payload_len);
    a.sequence == b.sequence
        && b.offset
            .checked_sub(end)
            .is_some_and(|gap| gap <= crate::format::BURST_BYTES)
}

fn damaged(group: GroupId, stream: StreamId, lsn: Lsn) -> Error {
    Error::new(ErrorKind::Corrupted, "reading the log")
        .with("group", group)
        .with("stream", stream)
        .with("entry", lsn)
}
