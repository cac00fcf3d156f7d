//! Writing records at the end of the log.

mod layout;

use repertoire_core::{Error, GroupId, GroupLogOp, LogOp, StreamId};

use crate::format::{BurstInfo, Draft, Kind};
use crate::index::{GroupIndex, Place, Slot};
use crate::segments::Segments;
use crate::{Disk, SegmentLog};

pub(crate) use layout::segments_needed;
use layout::{Encoded, encode};

/// A buffer that a giant burst blew up shrinks to this many bytes.
const BUFFER_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Why a burst is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// It frees space or states facts: it may use the segment held in reserve.
    pub housekeeping: bool,
    /// A sync follows.
    pub synced_next: bool,
}

impl Purpose {
    /// Of the log's own bursts.
    pub(crate) const HOUSEKEEPING: Self = Self {
        housekeeping: true,
        synced_next: true,
    };
}

impl<D: Disk> SegmentLog<D> {
    /// Writes one burst: its header, then `drafts`; `places` tells where they went. When the answer
    /// is `StorageFull`, nothing changed.
    pub(crate) fn append(&mut self, drafts: &[Draft<'_>], purpose: Purpose) -> Result<(), Error> {
        let needed = segments_needed(self, drafts);
        if needed > 0 {
            self.make_ready(needed + usize::from(!purpose.housekeeping))?;
        }
        let header = self.burst_header(drafts);
        self.places.clear();
        self.buffer.clear();
        let encoded = encode(self, &header, drafts, purpose.synced_next);
        for part in &encoded.parts {
            let bytes = self.buffer.get(part.from..part.upto).unwrap_or(&[]);
            let offset = part.offset.into();
            let written = if purpose.synced_next {
                self.disk.write_through(part.file, offset, bytes)
            } else {
                self.disk.write_at(part.file, offset, bytes)
            };
            if let Err(error) = written {
                // Segments are allocated before they are used, so this is not a full disk but a
                // broken one; and what of the burst is on it, nobody knows.
                return Err(self.failed_for_good("writing to the log", &error));
            }
            if self.dirty.last() != Some(&part.file) {
                self.dirty.push(part.file);
            }
        }
        self.advance(&encoded, drafts);
        Ok(())
    }

    // ANCHOR: burst_header
    fn burst_header(&self, drafts: &[Draft<'_>]) -> Draft<'static> {
        let info = BurstInfo {
            synced_upto: self.synced.burst,
            synced: self.synced.upto,
            oldest: self.oldest,
            records: u32::try_from(drafts.len()).unwrap_or(u32::MAX),
        };
        Draft {
            kind: Kind::Burst,
            group: GroupId::default(),
            stream: StreamId::default(),
            position: self.tail.burst + 1,
            order: self.tail.order,
            prefix: info.prefix(),
            body: &[],
        }
    }
    // ANCHOR_END: burst_header

    /// The burst is written: the log ends after it.
    fn advance(&mut self, encoded: &Encoded, drafts: &[Draft<'_>]) {
        for _ in 0..encoded.rolled {
            self.segments.roll();
        }
        self.tail.offset = encoded.offset;
        self.tail.previous = encoded.previous;
        self.tail.burst += 1;
        let orders = drafts.iter().map(|draft| draft.order + 1);
        self.tail.order = orders.fold(self.tail.order, u64::max);
        self.synced.stated = self.synced.upto;
        self.counters.bursts += 1;
        self.counters.bytes_written += self.buffer.len() as u64;
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.evacuation_stated();
    }

    /// Carries the operations of the burst just written into the index.
    pub(crate) fn apply(&mut self, burst: &[GroupLogOp]) {
        let places = std::mem::take(&mut self.places);
        for (op, place) in burst.iter().zip(&places) {
            let group = self.index.group_mut(op.group);
            note(group, op.group, place.sequence, &mut self.segments);
            apply_one(group, &op.op, *place, &mut self.segments);
            if op.op == LogOp::Repaired {
                self.unmarked.retain(|unmarked| *unmarked != op.group);
            }
        }
        self.places = places;
    }
}

/// Remembers that a segment, which is none before those noted so far, holds a record of the group.
pub(crate) fn note(group: &mut GroupIndex, id: GroupId, sequence: u64, segments: &mut Segments) {
    if group.noted < sequence
        && let Some(segment) = segments.live.get_mut(&sequence)
    {
        group.noted = sequence;
        segment.groups.insert(id);
    }
}

fn apply_one(group: &mut GroupIndex, op: &LogOp, place: Place, segments: &mut Segments) {
    let kept = group.kept;
    match op {
        LogOp::Append { stream, entry } => {
            segments.revive(place);
            let slot = Slot {
                first: entry.first,
                count: entry.count,
                epoch: entry.epoch,
                place,
                cost: 0,
            };
            let stream = group.stream_mut(*stream);
            stream.append(slot, &mut |dead| segments.kill(dead));
            stream.trim(kept, &mut |dead| segments.kill(dead));
        }
        LogOp::Truncate { stream, last } => {
            let stream = group.stream_mut(*stream);
            stream.truncate(*last, &mut |dead| segments.kill(dead));
        }
        LogOp::HardState(_) => {
            segments.revive(place);
            if let Some(old) = group.hard_state.replace(place) {
                segments.kill(old);
            }
        }
        LogOp::Checkpoint { stream, upto } => {
            let stream = group.stream_mut(*stream);
            stream.raise_checkpoint(*upto);
            stream.trim(kept, &mut |dead| segments.kill(dead));
        }
        LogOp::Reset { stream, base } => {
            let stream = group.stream_mut(*stream);
            stream.reset(*base, &mut |dead| segments.kill(dead));
        }
        LogOp::Repaired => {
            if let Some(marker) = group.marker.take() {
                segments.kill(marker);
            }
        }
    }
}
