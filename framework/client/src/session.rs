//! One client session in one group: its writes, and which of them are to be sent.

use repertoire_core::ClientId;
use tokio::time::Instant;

use crate::flight::{Flight, Stage};
use crate::numbering::Numbering;

/// A client session in one group.
#[derive(Debug)]
pub(crate) struct Session {
    /// Tells it from the group's former sessions.
    pub(crate) tag: u64,
    /// Its writes.
    pub(crate) numbering: Numbering<Flight>,
    /// The first number that was never sent.
    pub(crate) fresh: u64,
    /// Numbers to be sent again.
    pub(crate) again: Vec<u64>,
    /// Numbers to be sent again later.
    pub(crate) paused: Vec<(Instant, u64)>,
    /// The highest number that the group has acknowledged. The nodes' window follows it, not the
    /// numbers of writes that failed.
    pub(crate) known: u64,
    /// When it last wrote.
    pub(crate) last_used: Instant,
}

impl Session {
    /// A session that has written nothing.
    pub(crate) const fn new(tag: u64, client: ClientId, now: Instant) -> Self {
        Self {
            tag,
            numbering: Numbering::new(client),
            fresh: 1,
            again: Vec::new(),
            paused: Vec::new(),
            known: 0,
            last_used: now,
        }
    }

    /// Whether something is to be sent now.
    pub(crate) fn has_work(&self) -> bool {
        !self.again.is_empty() || self.fresh < self.numbering.next()
    }

    /// Sends a write again at `at`, or at once.
    pub(crate) fn retry(&mut self, seq: u64, at: Option<Instant>) {
        let Some(flight) = self.numbering.get_mut(seq) else {
            return;
        };
        if let Some(at) = at {
            flight.stage = Stage::Paused;
            self.paused.push((at, seq));
        } else {
            flight.stage = Stage::Waiting;
            self.again.push(seq);
        }
    }

    /// Moves writes whose pause is over to those to be sent. Returns the end of the next pause.
    pub(crate) fn end_pauses(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let (numbering, again) = (&mut self.numbering, &mut self.again);
        self.paused.retain(|(at, seq)| {
            if *at > now {
                next = Some(next.map_or(*at, |next| next.min(*at)));
                return true;
            }
            if let Some(flight) = numbering.get_mut(*seq) {
                flight.stage = Stage::Waiting;
                again.push(*seq);
            }
            false
        });
        next
    }

    /// Settles the writes whose deadline has passed. Returns the earliest deadline that is left.
    pub(crate) fn end_late(&mut self, now: Instant, late: &mut Vec<Flight>) -> Option<Instant> {
        let is_late = |(seq, flight): (u64, &Flight)| (flight.deadline <= now).then_some(seq);
        let seqs: Vec<_> = self.numbering.iter().filter_map(is_late).collect();
        late.extend(
            seqs.into_iter()
                .filter_map(|seq| self.numbering.settle(seq)),
        );
        self.numbering
            .iter()
            .map(|(_, flight)| flight.deadline)
            .min()
    }
}
