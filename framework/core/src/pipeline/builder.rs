//! Building entry bodies record by record.

use bytes::{BufMut, BytesMut};

use crate::cursor::len_u32;
use crate::limits::{ENTRY_BODY_MAX, ENTRY_RECORDS_MAX, ENTRY_SEAL_BYTES};
use crate::op::put_blob;
use crate::{
    Acks, ClientId, Error, ErrorKind, FormatTag, Mono, PayloadHash, Proposal, ProposalId,
    ReplyHandle, RequestId, Wall,
};

use super::pending::Waiter;

/// A proposal with those who wait for it.
#[derive(Clone, Debug)]
pub(super) struct SealedProposal {
    /// What goes to the protocol.
    pub(super) proposal: Proposal,
    /// One per record, in order.
    pub(super) waiters: Vec<Waiter>,
}

/// Where a run's record count stands in the body, to be raised as records follow.
#[derive(Clone, Copy, Debug)]
struct Run {
    client: ClientId,
    next_seq: u64,
    count_at: usize,
    count: u32,
}

/// Room for what a record has around its payload, the head of a new run included.
const RECORD_ROOM: usize = 64;

/// The body under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    body: BytesMut,
    run: Option<Run>,
    waiters: Vec<Waiter>,
    acks: Acks,
    format: FormatTag,
    wall: Wall,
    proposals: u64,
    sealed: Vec<SealedProposal>,
}

/// A record about to be added.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRecord<'a> {
    pub(super) id: RequestId,
    pub(super) hash: PayloadHash,
    pub(super) reply_to: ReplyHandle,
    pub(super) deadline: Mono,
    pub(super) acks: Acks,
    pub(super) format: FormatTag,
    pub(super) wall: Wall,
    pub(super) result: &'a [u8],
    /// About how many bytes it will take, as far as the request tells.
    pub(super) size_hint: usize,
}

impl Builder {
    /// The time of the entry under construction, if there is one.
    pub(super) fn wall(&self) -> Option<Wall> {
        if self.waiters.is_empty() {
            None
        } else {
            Some(self.wall)
        }
    }

    /// Records that wait to be sealed or taken.
    pub(super) fn waiting(&self) -> usize {
        let sealed: usize = self.sealed.iter().map(|s| s.waiters.len()).sum();
        self.waiters.len() + sealed
    }

    /// Adds a record whose payload `capture` writes, possibly twice. Nothing is added when it fails.
    /// Returns where the payload lies in the body.
    ///
    /// # Errors
    /// Those of `capture`; `TooLarge` when no entry can hold the record.
    pub(super) fn add(
        &mut self,
        record: NewRecord<'_>,
        capture: impl Fn(&mut BytesMut) -> Result<(), Error>,
    ) -> Result<std::ops::Range<usize>, Error> {
        match self.try_add(record, &capture) {
            // What it was evaluated to is longer than its request: it may fit in an entry of its own.
            Err(error) if is_too_large(&error) && !self.waiters.is_empty() => {
                self.seal();
                self.try_add(record, &capture)
            }
            added => added,
        }
    }

    fn try_add(
        &mut self,
        record: NewRecord<'_>,
        capture: &impl Fn(&mut BytesMut) -> Result<(), Error>,
    ) -> Result<std::ops::Range<usize>, Error> {
        // A record that would overshoot begins an entry of its own, so that an entry stays within a
        // frame.
        let full = self.body.len() + record.size_hint >= ENTRY_SEAL_BYTES
            || self.waiters.len() >= ENTRY_RECORDS_MAX;
        let other = record.acks != self.acks || record.format != self.format;
        if full || (other && !self.waiters.is_empty()) {
            self.seal();
        }
        if self.waiters.is_empty() {
            (self.acks, self.format, self.wall) = (record.acks, record.format, record.wall);
        }
        let (before, run_before) = (self.body.len(), self.run);
        self.body.reserve(RECORD_ROOM + record.size_hint);
        self.begin_run(record.id);
        self.body.put_u32_le(record.hash.0);
        put_blob(&mut self.body, record.result);
        let len_at = self.body.len();
        self.body.put_u32_le(0);
        let start = self.body.len();
        if let Err(error) = capture(&mut self.body).and_then(|()| fits(&self.body)) {
            self.body.truncate(before);
            self.run = run_before;
            return Err(error);
        }
        let range = start..self.body.len();
        let len = len_u32(self.body.get(range.clone()).unwrap_or_default());
        patch(&mut self.body, len_at, len);
        self.end_record();
        self.waiters.push(Waiter {
            id: record.id,
            reply_to: record.reply_to,
            deadline: record.deadline,
            result: bytes::Bytes::copy_from_slice(record.result),
            answered: false,
        });
        Ok(range)
    }

    /// Records in the body under construction.
    pub(super) fn unsealed(&self) -> usize {
        self.waiters.len()
    }

    /// The body under construction, to read a payload back.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Ends the entry under construction.
    pub(super) fn seal(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        self.proposals += 1;
        self.run = None;
        let waiters = std::mem::take(&mut self.waiters);
        let proposal = Proposal {
            id: ProposalId(self.proposals),
            count: u32::try_from(waiters.len()).unwrap_or(u32::MAX),
            acks: self.acks,
            format: self.format,
            wall: self.wall,
            body: self.body.split().freeze(),
        };
        self.sealed.push(SealedProposal { proposal, waiters });
    }

    /// Everything sealed since the last call.
    pub(super) fn take_sealed(&mut self) -> Vec<SealedProposal> {
        std::mem::take(&mut self.sealed)
    }

    fn begin_run(&mut self, id: RequestId) {
        let goes_on = |run: &Run| run.client == id.client && run.next_seq == id.seq;
        if self.run.as_ref().is_some_and(goes_on) {
            return;
        }
        self.body.put_u128_le(id.client.0);
        self.body.put_u64_le(id.seq);
        self.body.put_u64_le(id.acked_upto);
        let count_at = self.body.len();
        self.body.put_u32_le(0);
        self.run = Some(Run {
            client: id.client,
            next_seq: id.seq,
            count_at,
            count: 0,
        });
    }

    fn end_record(&mut self) {
        if let Some(run) = &mut self.run {
            run.next_seq = run.next_seq.saturating_add(1);
            run.count += 1;
            let (at, count) = (run.count_at, run.count);
            patch(&mut self.body, at, count);
        }
    }
}

fn fits(body: &[u8]) -> Result<(), Error> {
    if body.len() <= ENTRY_BODY_MAX {
        return Ok(());
    }
    let (len, max) = (body.len() as u64, ENTRY_BODY_MAX as u64);
    Err(
        Error::new(ErrorKind::TooLarge { len, max }, "capture").with(
            "detail",
            "what the write changes does not fit in one entry of the log",
        ),
    )
}

fn is_too_large(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TooLarge { .. })
}

fn patch(body: &mut BytesMut, at: usize, value: u32) {
    if let Some(place) = body.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}
