//! Filling reply frames.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::limits::DATA_FRAME_MAX;
use repertoire_core::{Ack, Answer, Durability, Error, ErrorKind, Outcome, Position, put_blob};

use super::answer::{ROWS_MAX, answer_len, put_answer};
use super::failure::encode_error;
use super::position::{put_entry_id, put_position};
use super::replies::{ANSWERED, FAILED, RUN_MAX, RepliesHead, WRITTEN, WRITTEN_RUN};
use crate::{Envelope, Frame, FrameKind, encode_head};

/// A frame is closed when its body reaches this many bytes, so that clients see outcomes early.
const SEAL_BYTES: usize = 256 * 1024;

/// Bytes of a frame's budget that are kept for head and framing of the last item.
const ITEM_ROOM: usize = 64;

/// The longest position takes this many bytes.
const POSITION_BYTES_MAX: usize = 3 + super::POSITION_ENTRIES_MAX * 32;

#[derive(Debug)]
struct Run {
    first: u64,
    count: u32,
    ack: Ack,
}

/// Collects outcomes of one session in completion order and cuts them into frames. Consecutive
/// plain writes become one item.
#[derive(Debug, Default)]
pub struct RepliesBuilder {
    run: Option<Run>,
    failed: Option<(u64, u32, Box<Error>)>,
    body: BytesMut,
    full: Vec<BytesMut>,
    credit: u32,
}

impl RepliesBuilder {
    /// A builder without outcomes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives back request credit, in bytes; sent with the last frame.
    pub const fn grant(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.run.is_none()
            && self.failed.is_none()
            && self.body.is_empty()
            && self.full.is_empty()
            && self.credit == 0
    }

    /// Adds the outcome of a request.
    pub fn push(&mut self, request: u64, outcome: Outcome) {
        match outcome {
            Outcome::Written { ack, result } if result.is_empty() => self.written(request, ack),
            Outcome::Written { ack, result } => self.returned(request, ack, &result),
            Outcome::Answered { position, answer } => self.answered(request, &position, &answer),
            Outcome::Failed(error) => self.failed(request, error),
        }
    }

    /// Adds a plain write that is done.
    pub fn written(&mut self, request: u64, ack: Ack) {
        if let Some(run) = &mut self.run
            && run.continues(request, ack)
        {
            run.count += 1;
            return;
        }
        self.flush_items();
        self.run = Some(Run {
            first: request,
            count: 1,
            ack,
        });
    }

    /// Adds a request that failed.
    pub fn failed(&mut self, request: u64, error: Box<Error>) {
        if let Some((first, count, same)) = &mut self.failed
            && first.checked_add(u64::from(*count)) == Some(request)
            && *count < RUN_MAX
            && *same == error
        {
            *count += 1;
            return;
        }
        self.flush_items();
        self.failed = Some((request, 1, error));
    }

    fn returned(&mut self, request: u64, ack: Ack, result: &[u8]) {
        if !self.make_room(request, result.len()) {
            return;
        }
        self.body.put_u8(WRITTEN);
        self.body.put_u64_le(request);
        put_ack(&mut self.body, ack);
        put_blob(&mut self.body, result);
    }

    fn answered(&mut self, request: u64, position: &Position, answer: &Answer) {
        if let Answer::Rows(rows) = answer
            && rows.len() > ROWS_MAX
        {
            let (len, max) = (rows.len() as u64, ROWS_MAX as u64);
            let error = Error::new(ErrorKind::TooLarge { len, max }, "send the rows");
            return self.failed(request, Box::new(error));
        }
        if !self.make_room(request, answer_len(answer) + POSITION_BYTES_MAX) {
            return;
        }
        self.body.put_u8(ANSWERED);
        self.body.put_u64_le(request);
        put_position(&mut self.body, position);
        put_answer(&mut self.body, answer);
    }

    /// Cuts a frame when `bytes` more do not fit; answers with an error when they never will.
    fn make_room(&mut self, request: u64, bytes: usize) -> bool {
        self.flush_items();
        let most = DATA_FRAME_MAX - 2 * ITEM_ROOM;
        if bytes > most {
            let kind = ErrorKind::TooLarge {
                len: bytes as u64,
                max: most as u64,
            };
            self.failed(request, Box::new(Error::new(kind, "send the answer")));
            return false;
        }
        if self.body.len() + bytes > most {
            self.full.push(self.body.split());
        }
        true
    }

    fn flush_items(&mut self) {
        if let Some(run) = self.run.take() {
            self.body.put_u8(WRITTEN_RUN);
            self.body.put_u64_le(run.first);
            self.body.put_u32_le(run.count);
            put_ack(&mut self.body, run.ack);
        }
        if let Some((first, count, error)) = self.failed.take() {
            self.body.put_u8(FAILED);
            self.body.put_u64_le(first);
            self.body.put_u32_le(count);
            encode_error(&error, &mut self.body);
        }
        if self.body.len() >= SEAL_BYTES {
            self.full.push(self.body.split());
        }
    }

    /// The frames, in order: front and body of each. The builder is empty afterwards.
    pub fn finish(&mut self) -> Vec<(Bytes, Bytes)> {
        self.flush_items();
        if !self.body.is_empty() || (self.credit > 0 && self.full.is_empty()) {
            self.full.push(self.body.split());
        }
        let credit = std::mem::take(&mut self.credit);
        let last = self.full.len().saturating_sub(1);
        let frames = self.full.drain(..).enumerate().filter_map(|(i, body)| {
            let head = RepliesHead {
                credit: if i == last { credit } else { 0 },
            };
            let envelope = Envelope::bare(FrameKind::Replies);
            let frame = Frame::new(envelope, encode_head(&head), body.freeze());
            // `make_room` keeps every body below the cap.
            frame.encode(DATA_FRAME_MAX).ok()
        });
        frames.collect()
    }
}

impl Run {
    fn continues(&self, request: u64, ack: Ack) -> bool {
        let steps = u64::from(self.count);
        self.count < RUN_MAX
            && self.first.checked_add(steps) == Some(request)
            && self.ack.position.lsn.0.checked_add(steps) == Some(ack.position.lsn.0)
            && self.ack.position.epoch == ack.position.epoch
            && self.ack.durability == ack.durability
            && self.ack.copies == ack.copies
    }
}

fn put_ack(out: &mut BytesMut, ack: Ack) {
    put_entry_id(out, ack.position);
    out.put_u8(match ack.durability {
        Durability::Memory => 0,
        Durability::Os => 1,
        Durability::Disk => 2,
    });
    out.put_u8(ack.copies);
}
