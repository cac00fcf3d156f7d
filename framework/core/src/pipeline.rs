//! The write pipeline: from requests of clients to sealed records, and back to replies.
//!
//! admit → dedup → declare read set → latch keys → evaluate over (engine + pending writes) →
//! capture by the log format → sealed body → protocol. Pure, shared by every protocol, run by the
//! simulator and the node alike.
//!
//! Plain puts and deletes need no evaluation and take a short path: they are captured in place,
//! one after the other, into the body under construction.

mod admission;
mod builder;
mod evaluate;
mod flights;
mod overlay;
mod ownership;
mod pending;
mod records;

pub use records::{Record, RecordReader};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    DedupTable, Entry, Error, ErrorKind, Fate, GroupId, KeyspaceOptions, LogFormat, Mono, Now,
    Operation, Outcome, Proposal, Registry, Reply, SlotMap, Ticket, Wall, WriteRequest,
};
use builder::{Builder, SealedProposal};
use evaluate::Evaluation;
use flights::Flights;
use overlay::Overlay;
use pending::PendingWrites;

/// A read set to be fetched from the engine before an operation can be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Named in the answer.
    pub ticket: Ticket,
    /// The keys of the data space.
    pub keys: Vec<Bytes>,
}

/// The write pipeline of one replica.
#[allow(
    missing_debug_implementations,
    reason = "holds registered functions, which have none"
)]
pub struct Pipeline {
    group: GroupId,
    /// Which keys are this group's; `None` when all of them are.
    slots: Option<SlotMap>,
    options: KeyspaceOptions,
    registry: Arc<Registry>,
    format: Arc<dyn LogFormat>,
    builder: Builder,
    flights: Flights,
    pending: PendingWrites,
    overlay: Overlay,
    evaluations: BTreeMap<Ticket, Evaluation>,
    latched: BTreeSet<Bytes>,
    held: VecDeque<WriteRequest>,
    tickets: u64,
    fetches: Vec<Fetch>,
    replies: Vec<Reply>,
    last_wall: Wall,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(
        group: GroupId,
        options: KeyspaceOptions,
        registry: Arc<Registry>,
        format: Arc<dyn LogFormat>,
    ) -> Self {
        Self {
            group,
            slots: None,
            options,
            registry,
            format,
            builder: Builder::default(),
            flights: Flights::default(),
            pending: PendingWrites::default(),
            overlay: Overlay::default(),
            evaluations: BTreeMap::new(),
            latched: BTreeSet::new(),
            held: VecDeque::new(),
            tickets: 0,
            fetches: Vec::new(),
            replies: Vec::new(),
            last_wall: Wall::default(),
        }
    }

    /// The same pipeline, which refuses operations on keys that other shards own.
    #[must_use]
    pub fn owning(mut self, slots: &SlotMap) -> Self {
        self.slots = (!slots.is_whole()).then(|| slots.clone());
        self
    }

    /// Takes a request in. What it needs from the engine is in [`take_fetches`](Self::take_fetches).
    pub fn submit(&mut self, now: Now, request: WriteRequest, dedup: &DedupTable) {
        let to = request.reply_to;
        if let Err(error) = self.admit(now, request, dedup) {
            self.fail(to, error);
        }
    }

    /// Whether read sets are wanted since the last call of [`take_fetches`](Self::take_fetches).
    pub const fn has_fetches(&self) -> bool {
        !self.fetches.is_empty()
    }

    /// Read sets wanted since the last call.
    pub fn take_fetches(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.fetches)
    }

    /// The engine's answer to a fetch: the encoded cells, in the order of the keys.
    pub fn fetched(
        &mut self,
        now: Now,
        ticket: Ticket,
        cells: Vec<Option<Bytes>>,
        dedup: &DedupTable,
    ) {
        let Some(evaluation) = self.evaluations.remove(&ticket) else {
            return;
        };
        self.finish_evaluation(now, evaluation, cells, dedup);
        if self.latched.is_empty() {
            for request in std::mem::take(&mut self.held) {
                self.submit(now, request, dedup);
            }
        }
    }

    /// Seals the body under construction; returns everything sealed since the last call.
    pub fn seal(&mut self) -> Vec<Proposal> {
        if self.builder.waiting() == 0 {
            return Vec::new();
        }
        self.builder.seal();
        let sealed = self.builder.take_sealed();
        let mut proposals = Vec::with_capacity(sealed.len());
        for SealedProposal { proposal, waiters } in sealed {
            debug_assert_eq!(waiters.len(), proposal.count as usize, "one per record");
            self.pending.push(proposal.id, proposal.body.len(), waiters);
            proposals.push(proposal);
        }
        proposals
    }

    /// Learns what became of proposals; replies to those that are settled.
    pub fn settle(&mut self, fate: Fate) {
        let durability = self.options.durability;
        let (mut answers, pending) = self.answers();
        match fate {
            Fate::Placed { proposal, first } => pending.place(proposal, first),
            Fate::Acked { through, copies } => {
                pending.acked(through, copies, durability, &mut answers);
            }
            Fate::Refused { proposal, error } => {
                pending.refuse(proposal, &error, &mut answers);
                self.overlay.forget_unplaced();
            }
            Fate::Unknown { from, error } => pending.unknown(from, &error, &mut answers),
        }
    }

    /// One of this replica's proposals was appended: its changes are pending until applied.
    pub fn appended(&mut self, entry: &Entry) {
        self.overlay.push(entry, self.format.as_ref());
    }

    /// An entry was made or met whose time no later entry may undercut.
    pub fn saw_wall(&mut self, wall: Wall) {
        self.last_wall = self.last_wall.max(wall);
    }

    /// This replica orders no writes any more, so nothing is pending here. What is not captured yet ends
    /// with `error`: should this replica order writes again, then after others that an evaluation which
    /// has read already would not see.
    pub fn stood_down(&mut self, error: &Error) {
        self.overlay.clear();
        self.refuse_uncaptured(error);
    }

    fn refuse_uncaptured(&mut self, error: &Error) {
        self.fetches.clear();
        for request in std::mem::take(&mut self.held) {
            self.fail(request.reply_to, error.clone());
        }
        for (_, evaluation) in std::mem::take(&mut self.evaluations) {
            self.end_failed(&evaluation.request, error.clone());
        }
        self.latched.clear();
    }

    /// Another engine holds the state from now on, which never heard what was asked: asks again.
    pub fn engine_replaced(&mut self) {
        self.fetches.clear();
        for (_, evaluation) in std::mem::take(&mut self.evaluations) {
            self.fetch(evaluation);
        }
    }

    /// The engine has applied everything up to `lsn`.
    pub fn applied(&mut self, lsn: crate::Lsn) {
        self.overlay.applied(lsn);
    }

    /// Ends requests whose deadline has passed: those not sealed are refused, the others unknown.
    /// Returns the next deadline.
    pub fn expire(&mut self, now: Mono) -> Mono {
        let timeout = Error::new(ErrorKind::Timeout, "write");
        // Each request is looked at once: one that is late is answered, another one queues again.
        for _ in 0..self.held.len() {
            match self.held.pop_front() {
                Some(request) if request.deadline <= now => {
                    let not_applied = crate::WriteOutcome::NotApplied;
                    self.fail(request.reply_to, timeout.clone().with_outcome(not_applied));
                }
                later => self.held.extend(later),
            }
        }
        let joined = self
            .flights
            .expire(self.group, now, &timeout, &mut self.replies);
        let (mut answers, pending) = self.answers();
        let sealed = pending.expire(now, &timeout, &mut answers);
        // Writes that are being evaluated end when they are sealed, and must not be overlooked then.
        let evaluated = self.evaluations.values().map(|known| &known.request);
        let unsealed = self.held.iter().chain(evaluated);
        unsealed
            .map(|request| request.deadline)
            .filter(|deadline| *deadline > now)
            .fold(joined.min(sealed), Mono::min)
    }

    /// Replies since the last call.
    pub fn take_replies(&mut self, out: &mut Vec<Reply>) {
        if !self.replies.is_empty() {
            out.append(&mut self.replies);
        }
    }

    /// Ends everything that is not settled, because the replica stops: what was not placed was
    /// certainly not applied, the rest is unknown.
    pub fn abandon(&mut self, error: &Error) {
        self.refuse_uncaptured(error);
        self.builder.seal();
        let (mut answers, pending) = self.answers();
        pending.abandon(error, &mut answers);
        for sealed in self.builder.take_sealed() {
            let (mut answers, _) = self.answers();
            for waiter in sealed.waiters {
                answers.end(&waiter, Outcome::Failed(Box::new(error.clone())));
            }
        }
    }

    /// Writes that were taken in and not yet answered.
    pub fn in_flight(&self) -> usize {
        self.held.len() + self.evaluations.len() + self.builder.waiting() + self.pending.waiting()
    }

    /// Of those, the ones whose clients have heard a timeout: they wait for their copies all the same.
    pub const fn given_up(&self) -> usize {
        self.pending.given_up()
    }

    /// Bytes of entries that wait for their copies.
    pub const fn unacked_bytes(&self) -> usize {
        self.pending.bytes()
    }

    /// The time that the next record's entry will carry at least.
    fn entry_wall(&mut self, now: Now) -> Wall {
        self.last_wall = self.last_wall.max(now.wall);
        self.builder.wall().unwrap_or(self.last_wall)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn fail(&mut self, to: crate::ReplyHandle, error: Error) {
        let outcome = Outcome::Failed(Box::new(error.with("group", self.group)));
        self.replies.push(Reply {
            group: self.group,
            to,
            outcome,
        });
    }

    /// Whether an operation can be captured without reading anything.
    fn is_blind(&self, operation: &Operation<'_>) -> bool {
        let plain = match operation {
            Operation::Put { .. } | Operation::Delete { .. } | Operation::Batch(_) => true,
            // Idempotent, and judged again where it is replayed.
            Operation::Call { function, .. } if *function == crate::EXPIRE_FUNCTION => return true,
            Operation::CompareAndSet { .. }
            | Operation::Call { .. }
            | Operation::Transaction { .. }
            | Operation::Merge { .. }
            | Operation::Statement { .. } => false,
        };
        plain && !self.format.needs_before_image()
    }
}
