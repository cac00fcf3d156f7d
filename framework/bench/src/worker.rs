//! One client: keeps its share of requests under way until the time is over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hdrhistogram::Histogram;
use repertoire_client::{Completion, Completions, Pipeline};
use repertoire_core::{EntryId, Error};

use crate::load::Load;

/// What a worker is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) in_flight: usize,
    pub(crate) reads_percent: u8,
    /// Pause between requests of an open loop.
    pub(crate) interval: Option<Duration>,
    pub(crate) warm_until: Instant,
    pub(crate) until: Instant,
}

/// What a worker saw.
pub(crate) struct Seen {
    pub(crate) latency_us: Histogram<u64>,
    pub(crate) done: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<Error>,
    /// The mark of the last acknowledged write of each key; zero: none.
    pub(crate) marks: Vec<u64>,
    pub(crate) last_position: Option<EntryId>,
    pub(crate) load: Load,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    begun: Instant,
    /// The key and mark of a write.
    write: Option<(u64, u64)>,
}

/// Requests under way by ticket. Tickets count up, so a queue will do.
struct Flights {
    first: u64,
    queue: VecDeque<Option<Flight>>,
    open: usize,
}

impl Flights {
    fn push(&mut self, ticket: u64, flight: Flight) {
        if self.queue.is_empty() {
            self.first = ticket;
        }
        self.queue.push_back(Some(flight));
        self.open += 1;
    }

    fn take(&mut self, ticket: u64) -> Option<Flight> {
        let index = usize::try_from(ticket.checked_sub(self.first)?).ok()?;
        let flight = self.queue.get_mut(index)?.take();
        self.open -= usize::from(flight.is_some());
        while self.queue.front().is_some_and(Option::is_none) {
            self.queue.pop_front();
            self.first += 1;
        }
        flight
    }
}

pub(crate) struct Worker {
    pipeline: Pipeline,
    completions: Completions,
    plan: Plan,
    flights: Flights,
    seen: Seen,
    buffer: BytesMut,
    marks: u64,
    due: Instant,
}

impl Worker {
    pub(crate) fn new(
        (pipeline, completions): (Pipeline, Completions),
        load: Load,
        plan: Plan,
    ) -> Result<Self, hdrhistogram::CreationError> {
        let keys = usize::try_from(load.keys()).unwrap_or(usize::MAX);
        let seen = Seen {
            latency_us: Histogram::new_with_bounds(1, 120_000_000, 3)?,
            done: 0,
            errors: 0,
            first_error: None,
            marks: vec![0; keys],
            last_position: None,
            load,
        };
        let flights = Flights {
            first: 0,
            queue: VecDeque::new(),
            open: 0,
        };
        let buffer = BytesMut::with_capacity(1 << 20);
        let due = Instant::now();
        Ok(Self {
            pipeline,
            completions,
            plan,
            flights,
            seen,
            buffer,
            marks: 0,
            due,
        })
    }

    /// Runs until the time is over and everything under way has ended.
    pub(crate) async fn run(mut self) -> Result<Seen, Error> {
        let mut arrived = Vec::new();
        loop {
            let now = Instant::now();
            if now < self.plan.until {
                self.submit(now).await?;
            } else if self.flights.open == 0 {
                return Ok(self.seen);
            }
            arrived.clear();
            if self.flights.open > 0 {
                self.next(&mut arrived).await;
            } else if let Some(interval) = self.plan.interval {
                tokio::time::sleep(interval).await;
            }
            let now = Instant::now();
            for completion in arrived.drain(..) {
                self.complete(now, completion);
            }
        }
    }

    async fn next(&mut self, arrived: &mut Vec<Completion>) {
        match self.plan.interval {
            None => self.completions.next(arrived).await,
            // An open loop must go on submitting although nothing arrives.
            Some(interval) => {
                let _ = tokio::time::timeout(interval, self.completions.next(arrived)).await;
            }
        }
    }

    async fn submit(&mut self, now: Instant) -> Result<(), Error> {
        let room = match self.plan.interval {
            None => self.plan.in_flight.saturating_sub(self.flights.open),
            Some(interval) => {
                let mut due = 0;
                while self.due <= now {
                    self.due += interval;
                    due += 1;
                }
                due
            }
        };
        let mut writes = Vec::with_capacity(room);
        let mut keys = Vec::with_capacity(room);
        let mut reads = Vec::new();
        for _ in 0..room {
            let number = self.seen.load.draw();
            if self.plan.reads_percent > 0
                && self.seen.load.draw() % 100 < self.plan.reads_percent.into()
            {
                reads.push(self.seen.load.get(number));
                continue;
            }
            self.marks += 1;
            writes.push(self.seen.load.put(number, self.marks, &mut self.buffer));
            keys.push((number, self.marks));
        }
        // An open loop counts from when a request was due, not from when it was sent.
        if !writes.is_empty() {
            let first = self.pipeline.submit(writes).await?;
            for (ticket, write) in (first..).zip(keys) {
                self.flights.push(
                    ticket,
                    Flight {
                        begun: now,
                        write: Some(write),
                    },
                );
            }
        }
        if !reads.is_empty() {
            let count = reads.len() as u64;
            let first = self.pipeline.submit_reads(reads).await?;
            for ticket in first..first + count {
                self.flights.push(
                    ticket,
                    Flight {
                        begun: now,
                        write: None,
                    },
                );
            }
        }
        Ok(())
    }

    fn complete(&mut self, now: Instant, completion: Completion) {
        match completion {
            Completion::Written { first, count, ack } => {
                for ticket in first..first + count {
                    self.end(now, ticket);
                }
                self.seen.last_position = Some(EntryId {
                    lsn: ack.position.lsn.plus(count.saturating_sub(1)),
                    ..ack.position
                });
            }
            Completion::Returned { ticket, .. } | Completion::Answered { ticket, .. } => {
                self.end(now, ticket);
            }
            Completion::Failed {
                first,
                count,
                error,
            } => {
                for ticket in first..first + count {
                    self.flights.take(ticket);
                }
                self.seen.errors += count;
                self.seen.first_error.get_or_insert(*error);
            }
        }
    }

    fn end(&mut self, now: Instant, ticket: u64) {
        let Some(flight) = self.flights.take(ticket) else {
            return;
        };
        if let Some((key, mark)) = flight.write {
            let place = usize::try_from(key)
                .ok()
                .and_then(|key| self.seen.marks.get_mut(key));
            if let Some(place) = place {
                *place = mark.max(*place);
            }
        }
        if now >= self.plan.warm_until && now <= self.plan.until {
            self.seen.done += 1;
            let micros = now.duration_since(flight.begun).as_micros();
            self.seen
                .latency_us
                .saturating_record(u64::try_from(micros).unwrap_or(u64::MAX));
        }
    }
}
