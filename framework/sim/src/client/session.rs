//! One client: its session, its numbering, where it sends.

use std::collections::{BTreeSet, VecDeque};

use repertoire_core::{ClientId, EntryId, RequestId};

use crate::clock::Nanos;
use crate::plan::ClientPlan;
use crate::rng::Rng;

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) plan: ClientPlan,
    pub(crate) rng: Rng,
    /// The node it sends to.
    pub(crate) target: usize,
    pub(crate) in_flight: usize,
    /// As much is under way as may be: the end of a request wakes it.
    pub(crate) is_waiting: bool,
    /// Attempts in their order, and when each counts as unanswered.
    pub(crate) unanswered: VecDeque<(Nanos, u32, u8)>,
    /// What the session has seen.
    pub(crate) token: EntryId,
    id: ClientId,
    last_seq: u64,
    /// Every write up to here is over.
    floor: u64,
    /// Writes beyond the floor that are over.
    over: BTreeSet<u64>,
}

impl Client {
    pub(crate) fn new(plan: ClientPlan, target: usize, rng: Rng) -> Self {
        Self {
            id: plan.id,
            plan,
            rng,
            target,
            in_flight: 0,
            is_waiting: false,
            unanswered: VecDeque::new(),
            token: EntryId::ZERO,
            last_seq: 0,
            floor: 0,
            over: BTreeSet::new(),
        }
    }

    /// The name of the next write.
    pub(crate) fn next_id(&mut self) -> RequestId {
        self.last_seq += 1;
        RequestId {
            client: self.id,
            seq: self.last_seq,
            acked_upto: self.floor,
        }
    }

    /// A write is over: it will never be asked for again.
    pub(crate) fn finish(&mut self, id: &RequestId) {
        if id.client != self.id {
            return;
        }
        self.over.insert(id.seq);
        while self.over.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
    }

    /// The session that its requests belong to.
    pub(crate) const fn session(&self) -> ClientId {
        self.id
    }

    /// The session was forgotten by the servers: starts another one.
    pub(crate) fn renew(&mut self, stale: ClientId, created: repertoire_core::Wall) {
        if stale == self.id {
            let random = u128::from(self.rng.next_u64() | 1);
            self.id = ClientId::new(created, random);
            (self.last_seq, self.floor) = (0, 0);
            self.over.clear();
        }
    }

    /// The session has seen this position.
    pub(crate) fn saw(&mut self, position: EntryId) {
        if position.lsn > self.token.lsn {
            self.token = position;
        }
    }
}
