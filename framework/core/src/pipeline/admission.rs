//! Taking a request in: checks, dedup, latches, and the short path for plain writes.

use bytes::Bytes;

use super::builder::NewRecord;
use super::evaluate::{Evaluation, read_set};
use super::flights::Arrival;
use super::pending::Answers;
use super::{Fetch, Pipeline};
use crate::limits::{KEY_MAX, OPERATION_MAX};
use crate::sabotage::{Bug, planted};
use crate::{
    Ack, Acks, DedupTable, Entry, EntryKind, Error, ErrorKind, FormatError, LeaderEpoch, Lsn, Now,
    Operation, Outcome, PayloadHash, RecordContext, Reply, RowChange, Verdict, Wall, WriteRequest,
};

impl Pipeline {
    pub(super) fn admit(
        &mut self,
        now: Now,
        request: WriteRequest,
        dedup: &DedupTable,
    ) -> Result<(), Error> {
        if request.body.len() > OPERATION_MAX {
            return Err(too_large(request.body.len(), OPERATION_MAX));
        }
        let operation = Operation::decode(&request.body).map_err(undecodable)?;
        self.check_sizes(&operation)?;
        self.check_owner(&operation)?;
        let hash = PayloadHash::of(&request.body);
        if !self.latched.is_empty() && self.touches_latch(&operation)? {
            self.held.push_back(request);
            return Ok(());
        }
        let verdict = dedup.check(&request.id, hash);
        let exempt = request.id.client.is_internal() || planted(Bug::DedupIgnored);
        let verdict = if exempt { Verdict::New } else { verdict };
        match verdict {
            Verdict::New => {}
            Verdict::Done(known) => {
                let durability = self.options.durability;
                let ack = Ack {
                    position: known.position,
                    durability,
                    copies: 1,
                };
                let outcome = Outcome::Written {
                    ack,
                    result: known.result,
                };
                self.replies.push(Reply {
                    group: self.group,
                    to: request.reply_to,
                    outcome,
                });
                return Ok(());
            }
            Verdict::Reused => return Err(Error::new(ErrorKind::RequestIdReuse, "write")),
            Verdict::Expired => return Err(Error::new(ErrorKind::SessionExpired, "write")),
            Verdict::Ahead => {
                let detail = "too many writes of this client are under way";
                return Err(Error::new(ErrorKind::Overloaded, "write").with("detail", detail));
            }
        }
        match self
            .flights
            .begin(&request.id, hash, request.reply_to, request.deadline)
        {
            Arrival::Fresh => {}
            Arrival::Joined => return Ok(()),
            Arrival::Reused => return Err(Error::new(ErrorKind::RequestIdReuse, "write")),
            Arrival::Over => return Err(Error::new(ErrorKind::SessionExpired, "write")),
        }
        let acks = request.acks.unwrap_or(self.options.acks);
        if self.is_blind(&operation) {
            let wall = self.entry_wall(now);
            if !self.outlives(&request, wall, dedup) {
                self.end_failed(&request, Error::new(ErrorKind::SessionExpired, "write"));
            } else if let Err(error) =
                self.capture(&request, hash, acks, wall, &operation, None, &[])
            {
                self.end_failed(&request, error);
            }
            return Ok(());
        }
        match self.declare(&operation) {
            Ok(keys) => self.begin_evaluation(request, hash, acks, keys),
            Err(error) => self.end_failed(&request, error),
        }
        Ok(())
    }

    /// Whether the client's session is still known when an entry of time `wall` is applied.
    pub(super) fn outlives(&self, request: &WriteRequest, wall: Wall, dedup: &DedupTable) -> bool {
        let (client, lifetime_ms) = (request.id.client, self.options.session_lifetime_ms);
        let unchecked = client.is_internal() || planted(Bug::SessionOutlived);
        unchecked || dedup.outlives(client, wall, lifetime_ms)
    }

    fn declare(&self, operation: &Operation<'_>) -> Result<Vec<Bytes>, Error> {
        let mut keys = Vec::new();
        read_set(operation, &self.registry, &mut keys)?;
        keys.sort_unstable();
        keys.dedup();
        if let Some(key) = keys.iter().find(|key| key.len() > KEY_MAX) {
            return Err(too_large(key.len(), KEY_MAX));
        }
        // A call names its keys here only.
        keys.iter().try_for_each(|key| self.check_key(key))?;
        Ok(keys)
    }

    fn begin_evaluation(
        &mut self,
        request: WriteRequest,
        hash: PayloadHash,
        acks: Acks,
        keys: Vec<Bytes>,
    ) {
        self.latched.extend(keys.iter().cloned());
        self.fetch(Evaluation {
            request,
            hash,
            acks,
            keys,
        });
    }

    /// Asks for what an evaluation reads.
    pub(super) fn fetch(&mut self, evaluation: Evaluation) {
        let ticket = self.next_ticket();
        let keys = evaluation.keys.clone();
        self.fetches.push(Fetch { ticket, keys });
        self.evaluations.insert(ticket, evaluation);
    }

    /// Adds a record to the body under construction. Without `changes` the format captures the
    /// operation blindly.
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one record, used twice"
    )]
    pub(super) fn capture(
        &mut self,
        request: &WriteRequest,
        hash: PayloadHash,
        acks: Acks,
        wall: Wall,
        operation: &Operation<'_>,
        changes: Option<&[RowChange]>,
        result: &[u8],
    ) -> Result<(), Error> {
        if !self.flights.capture(&request.id) {
            return Err(Error::new(ErrorKind::SessionExpired, "write"));
        }
        let format = std::sync::Arc::clone(&self.format);
        let context = RecordContext { wall };
        let record = NewRecord {
            id: request.id,
            hash,
            reply_to: request.reply_to,
            deadline: request.deadline,
            acks,
            format: format.tag(),
            wall,
            result,
            size_hint: request.body.len() + result.len(),
        };
        let range = self.builder.add(record, |out| {
            let captured = match changes {
                Some(changes) => format.capture(context, operation, changes, out),
                None => format.capture_blind(context, operation, out),
            };
            captured.map_err(|error| format_error(&error))
        })?;
        let payload = self.builder.body().get(range).unwrap_or_default();
        self.overlay.captured(payload, wall, format.as_ref());
        Ok(())
    }

    /// The body under construction as an entry, so that its records can be read back.
    pub(super) fn unsealed_entry(&self) -> Option<Entry> {
        let wall = self.builder.wall()?;
        Some(Entry {
            epoch: LeaderEpoch::NONE,
            first: Lsn(1),
            count: u32::try_from(self.builder.unsealed()).unwrap_or(u32::MAX),
            wall,
            kind: EntryKind::Records,
            format: self.format.tag(),
            acks: Acks::Async,
            body: Bytes::copy_from_slice(self.builder.body()),
        })
    }

    /// Ends a write that was under way and certainly has no effect.
    pub(super) fn end_failed(&mut self, request: &WriteRequest, error: Error) {
        let not_applied = crate::WriteOutcome::NotApplied;
        let error = error.with_outcome(not_applied).with("group", self.group);
        let outcome = Outcome::Failed(Box::new(error));
        self.flights
            .finish(self.group, &request.id, &outcome, &mut self.replies);
        self.replies.push(Reply {
            group: self.group,
            to: request.reply_to,
            outcome,
        });
    }

    pub(super) fn answers(&mut self) -> (Answers<'_>, &mut super::PendingWrites) {
        let answers = Answers {
            group: self.group,
            flights: &mut self.flights,
            replies: &mut self.replies,
        };
        (answers, &mut self.pending)
    }

    fn touches_latch(&self, operation: &Operation<'_>) -> Result<bool, Error> {
        Ok(self.declare(operation)?.iter().any(|key| {
            let held = |request: &WriteRequest| {
                let op = Operation::decode(&request.body);
                op.is_ok_and(|op| self.declare(&op).is_ok_and(|keys| keys.contains(key)))
            };
            self.latched.contains(key) || self.held.iter().any(held)
        }))
    }

    fn check_sizes(&self, operation: &Operation<'_>) -> Result<(), Error> {
        let (key_max, value_max) = (self.options.key_max, self.options.value_max);
        let check = |bytes: &[u8], max: u32| {
            let max = max as usize;
            if bytes.len() > max {
                Err(too_large(bytes.len(), max))
            } else {
                Ok(())
            }
        };
        match operation {
            Operation::Put { key, value, .. } => check(key, key_max).and(check(value, value_max)),
            Operation::Delete { key } => check(key, key_max),
            Operation::CompareAndSet { key, new, .. } => {
                check(key, key_max)?;
                new.map_or(Ok(()), |value| check(value, value_max))
            }
            Operation::Merge { key, delta } => check(key, key_max).and(check(delta, value_max)),
            Operation::Batch(ops) | Operation::Transaction { ops, .. } => {
                ops.iter().try_for_each(|op| self.check_sizes(op))
            }
            Operation::Call { .. } | Operation::Statement { .. } => Ok(()),
        }
    }
}

fn too_large(len: usize, max: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge {
            len: len as u64,
            max: max as u64,
        },
        "write",
    )
}

fn undecodable(error: crate::DecodeError) -> Error {
    Error::undecodable("write", &error)
}

fn format_error(error: &FormatError) -> Error {
    let kind = match error {
        FormatError::Decode(_) => ErrorKind::Malformed,
        FormatError::Unsupported { .. } | FormatError::NonDeterministic { .. } => {
            ErrorKind::Unsupported
        }
        FormatError::Engine(_) => ErrorKind::StorageFailed,
    };
    Error::new(kind, "capture").with("detail", error)
}
