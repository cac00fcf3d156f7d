//! From clients to nodes: asking, retrying, giving up.

use std::time::Duration;

use repertoire_core::{
    EntryId, Error, ErrorKind, Lag, Mono, Outcome, Position, ReadLevel, ReadQuery, ReadRequest,
    WriteRequest,
};

use super::expiry::EXPIRY_EVERY;
use super::{Event, World};
use crate::cast::Cast;
use crate::client::{Ask, Ending, Level, Workload};
use crate::clock::MILLI;
use crate::fault::kind::Shape;

/// Attempts after which a client gives up.
const ATTEMPTS_MAX: u8 = 6;
const ATTEMPTS_AT_REST_MAX: u8 = 200;

impl<C: Cast> World<'_, C> {
    /// Wakes every client, and starts the search for expired keys.
    pub(crate) fn start_clients(&mut self) {
        for client in 0..self.clients.len() {
            let event = Event::Wake {
                client: client as u8,
            };
            self.agenda.after(client as u64 * 1000, event);
        }
        for group in 0..self.plan.groups.len() {
            let event = Event::Expiry { group: group as u8 };
            self.agenda.after(EXPIRY_EVERY, event);
        }
        self.plan_wish();
        self.start_controllers();
    }

    pub(crate) fn on_wake(&mut self, number: usize) {
        if !self.is_issuing {
            return;
        }
        let time = self.time();
        let client = &mut self.clients[number];
        if client.in_flight >= client.plan.depth {
            client.is_waiting = true;
            return;
        }
        let g = client.plan.group;
        let workload = Workload {
            keys: self.plan.keys,
            voters: self.plan.groups[g].founders.len(),
            churns: self.plan.groups[g].churns(),
            up: self.plan.up(g),
            copies_min: self.plan.groups[g].copies_min(&self.plan.faults),
            wall_ms: self.nodes[0].clock.now(time).wall.0,
            expiring: true,
        };
        let op = workload.invent(number, client, &self.known[g].swapped, time);
        client.in_flight += 1;
        self.plan_wake(number);
        let op = self.book.open(op);
        self.attempt(op);
    }

    fn plan_wake(&mut self, number: usize) {
        let time = self.time();
        let client = &mut self.clients[number];
        let recess = self.plan.recess;
        let rest = recess.map_or(0, |recess| recess.rest(client.plan.group, time));
        let pause = rest + client.rng.exponential(client.plan.think) + 1;
        let event = Event::Wake {
            client: number as u8,
        };
        self.agenda.after(pause, event);
    }

    /// Sends a request, again or for the first time.
    pub(crate) fn attempt(&mut self, number: u32) {
        let op = &mut self.book.ops[number as usize];
        if op.ending != Ending::Open {
            return;
        }
        op.attempts += 1;
        let attempt = op.attempts;
        let client = &mut self.clients[op.client];
        let anywhere = matches!(
            op.ask,
            Ask::Digest
                | Ask::Get {
                    level: Level::Local | Level::Session | Level::Bounded(_),
                    ..
                }
        );
        let node = if anywhere || client.rng.one_in(20) {
            *client.rng.pick(&self.plan.groups[op.group].members)
        } else {
            client.target
        };
        let latency = self.net.client_latency();
        if !self.net.happens(Shape::LostOfClient, &mut self.tally) {
            let node = node as u8;
            self.agenda.after(
                latency,
                Event::Request {
                    op: number,
                    attempt,
                    node,
                },
            );
        }
        self.watch_attempt(number);
    }

    /// A request arrives at a node.
    pub(crate) fn on_request(&mut self, number: u32, attempt: u8, n: usize) {
        if !self.nodes[n].is_up {
            let latency = self.net.client_latency();
            let event = Event::Unreachable {
                op: number,
                attempt,
            };
            self.agenda.after(latency, event);
            return;
        }
        let now = self.now(n);
        let op = &self.book.ops[number as usize];
        let g = op.group;
        let reply_to = self.book.handle(number, attempt);
        let patience = self.clients[op.client].plan.patience;
        let deadline = Mono(now.mono.0 + patience);
        self.trace
            .note(12, (n as u64) << 32 | u64::from(number), u64::from(attempt));
        if self.nodes[n].log.is_full && op.ask.is_write() {
            // As the node's actor answers while its log finds no space.
            let error = Error::new(ErrorKind::StorageFull, "write");
            let outcome = Outcome::Failed(Box::new(error));
            self.send_reply(number, attempt, n, outcome);
            return;
        }
        let Some(host) = &mut self.nodes[n].replicas[g].host else {
            return;
        };
        match op.ask {
            Ask::Get { key, level } => {
                let level = level_of(level, op.token);
                let query = ReadQuery::Get(bytes::Bytes::copy_from_slice(&key.bytes()));
                host.read(
                    now,
                    ReadRequest {
                        reply_to,
                        level,
                        deadline,
                        query,
                    },
                );
            }
            Ask::Digest => host.read(
                now,
                ReadRequest {
                    reply_to,
                    level: ReadLevel::Local,
                    deadline,
                    query: ReadQuery::Digest,
                },
            ),
            Ask::Put { .. }
            | Ask::Delete { .. }
            | Ask::Batch { .. }
            | Ask::Swap { .. }
            | Ask::Add { .. } => host.submit(
                now,
                WriteRequest {
                    id: op.id,
                    reply_to,
                    acks: op.acks,
                    deadline,
                    body: op.body.clone(),
                },
            ),
        }
        self.touched(n, g);
        self.watch_deadline(n, g, deadline);
    }

    /// Makes sure that deadlines of a replica are looked at no later than `next`.
    pub(crate) fn watch_deadline(&mut self, n: usize, g: usize, next: Mono) {
        if next == Mono::NEVER {
            return;
        }
        let node = &mut self.nodes[n];
        let at = node.clock.when(next);
        if at < node.replicas[g].deadline {
            node.replicas[g].deadline = at;
            let event = Event::Deadline {
                node: n as u8,
                group: g as u8,
                boot: node.boot,
            };
            self.agenda.at(at, event);
        }
    }

    pub(crate) fn on_unreachable(&mut self, number: u32, attempt: u8) {
        let op = &self.book.ops[number as usize];
        if op.ending == Ending::Open && op.attempts == attempt {
            self.turn_elsewhere(number, None);
            self.retry(number);
        }
    }

    /// The client sends to another node from now on.
    pub(super) fn turn_elsewhere(&mut self, number: u32, hint: Option<usize>) {
        let op = &self.book.ops[number as usize];
        let members = &self.plan.groups[op.group].members;
        let client = &mut self.clients[op.client];
        client.target = match hint {
            Some(node) if members.contains(&node) => node,
            _ => *client.rng.pick(members),
        };
    }

    pub(super) fn retry(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        // Once the faults have ended a leader is found, and what is asked then has to be served.
        let (most, pause) = if self.is_issuing {
            (ATTEMPTS_MAX, 4 * MILLI)
        } else {
            (ATTEMPTS_AT_REST_MAX, 40 * MILLI)
        };
        if op.attempts >= most {
            self.give_up(number);
            return;
        }
        let pause = self.clients[op.client].rng.exponential(pause);
        self.agenda.after(pause, Event::Again { op: number });
    }

    pub(super) fn give_up(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        let ending = if op.may_be_applied {
            Ending::Unknown
        } else {
            Ending::Refused
        };
        self.end(number, ending);
    }

    pub(super) fn end(&mut self, number: u32, ending: Ending) {
        let time = self.time();
        self.book.end(number, ending, time);
        let op = &self.book.ops[number as usize];
        let client = &mut self.clients[op.client];
        client.in_flight = client.in_flight.saturating_sub(1);
        if op.ask.is_write() {
            client.finish(&op.id);
        }
        if std::mem::take(&mut client.is_waiting) {
            let number = op.client;
            self.plan_wake(number);
        }
    }
}

fn level_of(level: Level, token: EntryId) -> ReadLevel {
    match level {
        Level::Local => ReadLevel::Local,
        Level::Session => ReadLevel::Session(Position::Entry(token)),
        Level::Leader => ReadLevel::Leader,
        Level::Bounded(age_max) => ReadLevel::Bounded(Lag::of(Duration::from_nanos(age_max))),
    }
}
