//! Where the records of a burst go: one buffer, one contiguous part per segment.

use crate::format::{BURST_BYTES, Draft, SEGMENT_HEADER_BYTES, push_record};
use crate::index::Place;
use crate::{FileId, PAGE_BYTES, SegmentLog};

/// A contiguous range of one file, filled from a range of the buffer.
pub(super) struct Part {
    pub file: FileId,
    pub offset: u32,
    pub from: usize,
    pub upto: usize,
}

/// A burst in the buffer, not yet on disk.
pub(super) struct Encoded {
    pub parts: Vec<Part>,
    /// Segments that the burst enters.
    pub rolled: usize,
    /// The offset after its last record.
    pub offset: u32,
    /// Checksum of its last record's head.
    pub previous: u32,
}

/// How many segments a burst uses beyond the active one.
pub(crate) fn segments_needed<D>(log: &SegmentLog<D>, drafts: &[Draft<'_>]) -> usize {
    let mut size = log.segments.ahead(0).map_or(0, |file| file.size);
    let mut offset = log.tail.offset;
    let mut needed = 0;
    for len in std::iter::once(BURST_BYTES).chain(drafts.iter().map(Draft::len)) {
        if len > size.saturating_sub(offset) {
            needed += 1;
            offset = SEGMENT_HEADER_BYTES;
            size = log.options.segment_bytes;
        }
        offset += len;
    }
    needed
}

/// Puts a burst together in the log's buffer, and the places of its records (without the header)
/// in `places`. The log's end stays where it is: the burst is not written yet. With `whole_pages`
/// each part ends with a page, filled with zeros: nothing of value comes after the log's end.
pub(super) fn encode<D>(
    log: &mut SegmentLog<D>,
    header: &Draft<'_>,
    drafts: &[Draft<'_>],
    whole_pages: bool,
) -> Encoded {
    let mut encoded = Encoded {
        parts: Vec::with_capacity(1),
        rolled: 0,
        offset: log.tail.offset,
        previous: log.tail.previous,
    };
    let mut sequence = log.segments.active();
    let mut begun = (0, encoded.offset);
    for (number, draft) in std::iter::once(header).chain(drafts).enumerate() {
        let size = log
            .segments
            .ahead(encoded.rolled)
            .map_or(0, |file| file.size);
        if draft.len() > size.saturating_sub(encoded.offset) {
            end_part(log, &mut encoded, begun, whole_pages);
            encoded.rolled += 1;
            sequence += 1;
            encoded.offset = SEGMENT_HEADER_BYTES;
            begun = (log.buffer.len(), encoded.offset);
        }
        let offset = encoded.offset;
        let at = (sequence, offset);
        encoded.previous = push_record(&mut log.buffer, draft, log.seed, at, encoded.previous);
        encoded.offset += draft.len();
        if number > 0 {
            log.places.push(Place {
                sequence,
                offset,
                payload_len: draft.payload_len(),
                order: draft.order,
            });
        }
    }
    end_part(log, &mut encoded, begun, whole_pages);
    encoded
}

fn end_part<D>(
    log: &mut SegmentLog<D>,
    encoded: &mut Encoded,
    (from, offset): (usize, u32),
    whole_pages: bool,
) {
    if whole_pages && log.buffer.len() > from {
        let used = offset as usize + log.buffer.len() - from;
        let padding = used.next_multiple_of(PAGE_BYTES) - used;
        log.buffer.resize(log.buffer.len() + padding, 0);
    }
    let upto = log.buffer.len();
    let file = log.segments.ahead(encoded.rolled).map(|file| file.file);
    assert!(
        file.is_some(),
        "a burst is encoded only when its segments are ready"
    );
    if let Some(file) = file.filter(|_| upto > from) {
        encoded.parts.push(Part {
            file,
            offset,
            from,
            upto,
        });
    }
}
