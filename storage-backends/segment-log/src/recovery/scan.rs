//! Finding the records of one segment, also behind damage.

use repertoire_core::Error;

use crate::format::{MAGIC, RECORD_ALIGNMENT, RecordHead, SEGMENT_HEADER_BYTES, Statement, inside};
use crate::segments::SegmentFile;
use crate::{Disk, SegmentLog};

/// Room for so many pieces is made before the first segment is scanned.
pub(super) const PIECES_EXPECTED: usize = 256;

/// What lies at one place of a segment.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// A record that validates.
    Record(RecordHead, Statement),
    /// A record whose head validates and whose payload does not.
    BadPayload(RecordHead),
    /// Bytes that are no record, with records behind them.
    Gap(u32, u32),
}

impl Piece {
    pub(super) fn start(&self) -> u32 {
        match self {
            Self::Record(head, _) | Self::BadPayload(head) => head.offset,
            Self::Gap(from, _) => *from,
        }
    }

    pub(super) fn end(&self) -> u32 {
        match self {
            Self::Record(head, _) | Self::BadPayload(head) => head.end(),
            Self::Gap(_, upto) => *upto,
        }
    }
}

/// The pieces of a segment, up to its last record.
#[derive(Debug)]
pub(super) struct Scanned {
    pub sequence: u64,
    pub pieces: Vec<Piece>,
}

impl Scanned {
    /// The end of the last record.
    pub(super) fn end(&self) -> u32 {
        self.pieces.last().map_or(SEGMENT_HEADER_BYTES, Piece::end)
    }
}

impl<D: Disk> SegmentLog<D> {
    /// Reads a whole segment, over what `data` held, and finds its records: about `expected`.
    pub(super) fn scan_segment(
        &mut self,
        sequence: u64,
        file: &SegmentFile,
        data: &mut Vec<u8>,
        expected: usize,
    ) -> Result<Scanned, Error> {
        data.resize(file.size as usize, 0);
        let read = self.disk.read_at(file.file, 0, data);
        read.map_err(|error| self.failed_for_good("reading a segment", &error))?;
        let mut pieces = Vec::with_capacity(expected);
        find_pieces(data, self.seed, sequence, &mut pieces);
        Ok(Scanned { sequence, pieces })
    }
}

fn find_pieces(data: &[u8], seed: u32, sequence: u64, pieces: &mut Vec<Piece>) {
    let mut offset = SEGMENT_HEADER_BYTES;
    while let Some(rest) = data.get(offset as usize..) {
        let piece = match RecordHead::parse(rest, seed, sequence, offset) {
            Some(head) => record(head, rest, seed),
            None => match next_record(data, seed, sequence, offset) {
                Some(next) => Piece::Gap(offset, next),
                None => break,
            },
        };
        offset = piece.end();
        pieces.push(piece);
    }
}

fn record(head: RecordHead, rest: &[u8], seed: u32) -> Piece {
    let payload = head.payload(rest, seed);
    let statement = payload.and_then(|payload| Statement::decode(&head, payload).ok());
    statement.map_or(Piece::BadPayload(head), |statement| {
        Piece::Record(head, statement)
    })
}

/// The next place after `offset` where a head validates.
fn next_record(data: &[u8], seed: u32, sequence: u64, offset: u32) -> Option<u32> {
    let start = offset + RECORD_ALIGNMENT;
    let rest = data.get(start as usize..)?;
    // The magic is looked for first: nearly all places end there.
    let candidates = memchr::memmem::find_iter(rest, &MAGIC);
    let aligned = candidates.filter(|at| at % RECORD_ALIGNMENT as usize == 0);
    let mut places = aligned.map(|at| start + inside(at));
    places.find(|place| {
        let bytes = data.get(*place as usize..).unwrap_or(&[]);
        RecordHead::parse(bytes, seed, sequence, *place).is_some()
    })
}
