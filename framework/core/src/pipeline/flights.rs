//! Writes under way, by request id, so that a retry joins the first attempt.

use std::collections::{BTreeMap, VecDeque};

use crate::{ClientId, Error, GroupId, Mono, Outcome, PayloadHash, Reply, ReplyHandle, RequestId};

/// What an arriving request id means for the writes under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Not under way; it is from now on.
    Fresh,
    /// Under way with the same payload; the caller waits with the first attempt.
    Joined,
    /// Under way with another payload.
    Reused,
    /// Its client said in a later write that it will never ask for this one again.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    seq: u64,
    hash: PayloadHash,
}

#[derive(Clone, Copy, Debug)]
struct Joiner {
    reply_to: ReplyHandle,
    deadline: Mono,
}

/// The writes under way of one client.
#[derive(Debug, Default)]
struct ClientFlights {
    /// Sorted by sequence number. Nearly always appended at the back and taken off the front.
    queue: VecDeque<Flight>,
    /// The highest `acked_upto` of a captured write. Once that write is applied, the dedup table
    /// refuses what lies below; a write that would be captured behind it is refused already now,
    /// else later evaluations would see an effect that its replay skips.
    acked_upto: u64,
}

/// All writes under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    by_client: BTreeMap<ClientId, ClientFlights>,
    joiners: BTreeMap<(ClientId, u64), Vec<Joiner>>,
}

impl Flights {
    pub(super) fn begin(
        &mut self,
        id: &RequestId,
        hash: PayloadHash,
        reply_to: ReplyHandle,
        deadline: Mono,
    ) -> Arrival {
        let client = self.by_client.entry(id.client).or_default();
        if id.seq <= client.acked_upto {
            return Arrival::Over;
        }
        let flights = &mut client.queue;
        let flight = Flight { seq: id.seq, hash };
        if flights.back().is_none_or(|last| last.seq < id.seq) {
            flights.push_back(flight);
            return Arrival::Fresh;
        }
        let index = flights.partition_point(|known| known.seq < id.seq);
        match flights.get(index) {
            Some(known) if known.seq == id.seq && known.hash == hash => {
                let joiner = Joiner { reply_to, deadline };
                self.joiners
                    .entry((id.client, id.seq))
                    .or_default()
                    .push(joiner);
                Arrival::Joined
            }
            Some(known) if known.seq == id.seq => Arrival::Reused,
            _ => {
                flights.insert(index, flight);
                Arrival::Fresh
            }
        }
    }

    /// The write is about to be captured. Returns `false` when its client has given it up
    /// meanwhile.
    pub(super) fn capture(&mut self, id: &RequestId) -> bool {
        let Some(client) = self.by_client.get_mut(&id.client) else {
            return true;
        };
        if id.seq <= client.acked_upto {
            return false;
        }
        client.acked_upto = client.acked_upto.max(id.acked_upto);
        true
    }

    /// The write ended with `outcome`: forget it, and tell those who joined.
    pub(super) fn finish(
        &mut self,
        group: GroupId,
        id: &RequestId,
        outcome: &Outcome,
        replies: &mut Vec<Reply>,
    ) {
        self.forget(id);
        if self.joiners.is_empty() {
            return;
        }
        for joiner in self
            .joiners
            .remove(&(id.client, id.seq))
            .into_iter()
            .flatten()
        {
            replies.push(Reply {
                group,
                to: joiner.reply_to,
                outcome: outcome.clone(),
            });
        }
    }

    /// The write is no longer under way.
    pub(super) fn forget(&mut self, id: &RequestId) {
        let Some(client) = self.by_client.get_mut(&id.client) else {
            return;
        };
        let flights = &mut client.queue;
        if flights.front().is_some_and(|first| first.seq == id.seq) {
            flights.pop_front();
        } else {
            let index = flights.partition_point(|known| known.seq < id.seq);
            if flights.get(index).is_some_and(|known| known.seq == id.seq) {
                flights.remove(index);
            }
        }
        if flights.is_empty() {
            self.by_client.remove(&id.client);
        }
    }

    /// Answers joiners whose deadline has passed. Returns the next deadline of a joiner.
    pub(super) fn expire(
        &mut self,
        group: GroupId,
        now: Mono,
        timeout: &Error,
        replies: &mut Vec<Reply>,
    ) -> Mono {
        let mut next = Mono::NEVER;
        self.joiners.retain(|_, joiners| {
            joiners.retain(|joiner| {
                let late = joiner.deadline <= now;
                if late {
                    let outcome = Outcome::Failed(Box::new(timeout.clone()));
                    replies.push(Reply {
                        group,
                        to: joiner.reply_to,
                        outcome,
                    });
                } else {
                    next = next.min(joiner.deadline);
                }
                !late
            });
            !joiners.is_empty()
        });
        next
    }
}
