//! Between clients and nodes: asking, answering, retrying, giving up.

use repertoire_core::{
    ClientId, ErrorKind, Mono, Outcome, Position, ReadLevel, ReadQuery, ReadRequest, ReplyHandle,
    RequestId, Retry, WriteOutcome, WriteRequest,
};
use repertoire_log_formats::expiry;

use super::event::ReplyOut;
use super::{Event, World};
use crate::cast::Cast;
use crate::client::{Ask, Ending, Level, Workload};
use crate::clock::{MILLI, Nanos};
use crate::fault::mix::Fault;
use crate::invariants::{at_most_once, errors, sessions};
use crate::plan::node_index;
use crate::sometimes::Situation;
use crate::watch::{Content, KeyId, KeyKind};

/// Attempts after which a client gives up.
const ATTEMPTS_MAX: u8 = 6;
/// Number of an attempt that repeats a request after its success.
const ECHO: u8 = 200;
/// How often expired keys are looked for.
const EXPIRY_EVERY: Nanos = 25 * MILLI;

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
    }

    pub(crate) fn on_wake(&mut self, number: usize) {
        if !self.is_issuing {
            return;
        }
        let time = self.time();
        let client = &mut self.clients[number];
        let pause = client.rng.exponential(client.plan.think) + 1;
        let event = Event::Wake {
            client: number as u8,
        };
        self.agenda.after(pause, event);
        if client.in_flight >= client.plan.depth {
            return;
        }
        let g = client.plan.group;
        let workload = Workload {
            keys: self.plan.keys,
            voters: self.plan.groups[g].members.len(),
            up: self.plan.up(g),
            wall_ms: self.nodes[0].clock.now(time).wall.0,
            expiring: true,
        };
        let op = workload.invent(number, client, &self.known[g].swapped, time);
        client.in_flight += 1;
        let op = self.book.open(op);
        self.attempt(op);
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
                    level: Level::Local | Level::Session,
                    ..
                }
        );
        let node = if anywhere || client.rng.one_in(20) {
            *client.rng.pick(&self.plan.groups[op.group].members)
        } else {
            client.target
        };
        let patience = client.plan.patience;
        let latency = self.net.client_latency();
        if !self.net.happens(Fault::ClientLoss, &mut self.tally) {
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
        let event = Event::Timeout {
            op: number,
            attempt,
        };
        self.agenda.after(patience + patience / 4, event);
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
        let Some(host) = &mut self.nodes[n].replicas[g].host else {
            return;
        };
        match op.ask {
            Ask::Get { key, level } => {
                let level = match level {
                    Level::Local => ReadLevel::Local,
                    Level::Session => ReadLevel::Session(Position::Entry(op.token)),
                    Level::Leader => ReadLevel::Leader,
                };
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
            _ => host.submit(
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

    pub(crate) fn on_timeout(&mut self, number: u32, attempt: u8) {
        let op = &mut self.book.ops[number as usize];
        if op.ending != Ending::Open || op.attempts != attempt {
            return;
        }
        op.may_be_applied = true;
        let stays = self.clients[op.client].rng.one_in(3);
        if !stays {
            self.turn_elsewhere(number, None);
        }
        self.retry(number);
    }

    /// The client sends to another node from now on.
    fn turn_elsewhere(&mut self, number: u32, hint: Option<usize>) {
        let op = &self.book.ops[number as usize];
        let members = &self.plan.groups[op.group].members;
        let client = &mut self.clients[op.client];
        client.target = match hint {
            Some(node) if members.contains(&node) => node,
            _ => *client.rng.pick(members),
        };
    }

    fn retry(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        if op.attempts >= ATTEMPTS_MAX {
            self.give_up(number);
            return;
        }
        let pause = self.clients[op.client].rng.exponential(4 * MILLI);
        self.agenda.after(pause, Event::Again { op: number });
    }

    fn give_up(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        let ending = if op.may_be_applied {
            Ending::Unknown
        } else {
            Ending::Refused
        };
        self.end(number, ending);
    }

    fn end(&mut self, number: u32, ending: Ending) {
        let time = self.time();
        self.book.end(number, ending, time);
        let op = &self.book.ops[number as usize];
        let client = &mut self.clients[op.client];
        client.in_flight = client.in_flight.saturating_sub(1);
        if op.ask.is_write() {
            client.finish(&op.id);
        }
    }

    /// A reply arrives at its client.
    pub(crate) fn on_reply(&mut self, slot: u32) {
        let Some(reply) = self.replies.take(slot) else {
            return;
        };
        let ReplyOut {
            op: number,
            attempt,
            node,
            outcome,
        } = reply;
        let op = &self.book.ops[number as usize];
        if op.ending != Ending::Open {
            if let Outcome::Written { ack, .. } = outcome {
                at_most_once::judge_repeat(op, ack.position, &mut self.findings);
                self.reached.note(Situation::DuplicateAcknowledged);
            } else if let Outcome::Failed(error) = outcome
                && *error.kind() == ErrorKind::SessionExpired
            {
                self.reached.note(Situation::SessionExpired);
            }
            return;
        }
        match outcome {
            Outcome::Written { ack, result } => {
                self.note_retry(number, usize::from(node), ack.position.lsn.0);
                let op = &mut self.book.ops[number as usize];
                (op.position, op.copies) = (ack.position, ack.copies);
                if let Ask::Add { key, .. } = op.ask {
                    op.seen = Content::of_value(key, &result);
                }
                self.done(number);
                self.echo(number);
            }
            Outcome::Answered { position, answer } => {
                let op = &mut self.book.ops[number as usize];
                if let Position::Entry(position) = position {
                    op.position = position;
                }
                if let (repertoire_core::Answer::Value(value), Ask::Get { key, .. }) =
                    (answer, op.ask)
                {
                    let content = |value: &bytes::Bytes| Content::of_value(key, value);
                    op.seen = value.as_ref().map_or(Content::Absent, content);
                }
                sessions::judge_read(op, &mut self.findings);
                if matches!(
                    op.ask,
                    Ask::Get {
                        level: Level::Session,
                        ..
                    }
                ) {
                    self.reached.note(Situation::SessionReadWaited);
                }
                self.done(number);
            }
            Outcome::Failed(error) => self.on_failure(number, attempt, &error),
        }
    }

    fn done(&mut self, number: u32) {
        self.end(number, Ending::Done);
        let op = &self.book.ops[number as usize];
        let client = &mut self.clients[op.client];
        if !matches!(
            op.ask,
            Ask::Get {
                level: Level::Local,
                ..
            } | Ask::Digest
        ) {
            client.saw(op.position);
        }
        let known = match (op.ask, op.seen) {
            (Ask::Swap { key, stamp, .. }, _) => Some((key, Some(stamp))),
            (Ask::Get { key, .. }, Content::Written(stamp)) => Some((key, Some(stamp))),
            (Ask::Get { key, .. }, Content::Absent) => Some((key, None)),
            _ => None,
        };
        if let Some((key, stamp)) = known.filter(|known| known.0.kind == KeyKind::Swapped) {
            self.know_swapped(op.group, key, stamp);
        }
    }

    fn know_swapped(&mut self, g: usize, key: KeyId, stamp: Option<crate::watch::Stamp>) {
        if let Some(place) = self.known[g].swapped.get_mut(usize::from(key.number)) {
            *place = stamp;
        }
    }

    /// Some requests are sent again after their success: they must not be applied twice.
    fn echo(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        let client = &mut self.clients[op.client];
        if client.rng.one_in(24) {
            let node = *client.rng.pick(&self.plan.groups[op.group].members) as u8;
            let span = client.rng.exponential(30 * MILLI);
            let event = Event::Request {
                op: number,
                attempt: ECHO,
                node,
            };
            self.agenda.after(span, event);
        }
    }

    fn note_retry(&mut self, number: u32, n: usize, lsn: u64) {
        let op = &self.book.ops[number as usize];
        let node = &self.nodes[n];
        if op.attempts > 1
            && node.booted_at > op.invoked
            && lsn <= node.replicas[op.group].recovered
        {
            self.reached.note(Situation::RetryAnsweredAfterRestart);
        }
    }

    fn on_failure(&mut self, number: u32, attempt: u8, error: &repertoire_core::Error) {
        let expire = self.sessions_may_expire;
        let op = &mut self.book.ops[number as usize];
        errors::judge(op, error, expire, &mut self.findings);
        let kind = error.kind().clone();
        match &kind {
            ErrorKind::Conflict => self.reached.note(Situation::Conflict),
            ErrorKind::NotLeader { .. } if matches!(op.ask, Ask::Get { .. }) => {
                self.reached.note(Situation::FollowerRefusedLeaderRead);
            }
            ErrorKind::SessionExpired => {
                self.reached.note(Situation::SessionExpired);
                let (client, stale) = (op.client, op.id.client);
                self.renew_session(client, stale);
            }
            _ => {}
        }
        let op = &mut self.book.ops[number as usize];
        if error.outcome() == WriteOutcome::Unknown {
            op.may_be_applied = true;
        }
        if op.attempts != attempt {
            return;
        }
        if let (Ask::Swap { key, .. }, ErrorKind::Conflict) = (op.ask, &kind) {
            let g = op.group;
            self.know_swapped(g, key, None);
        }
        match error.retry() {
            Retry::No => self.give_up(number),
            Retry::SameRequest => self.retry(number),
            Retry::Elsewhere => {
                let hint = match kind {
                    ErrorKind::NotLeader { hint } => hint.map(node_index),
                    _ => None,
                };
                self.turn_elsewhere(number, hint);
                self.retry(number);
            }
        }
    }

    fn renew_session(&mut self, client: usize, stale: ClientId) {
        let walls = (0..self.nodes.len()).map(|n| self.now(n).wall);
        let newest = walls.max().unwrap_or_default().max(self.newest_wall);
        self.clients[client].renew(stale, newest);
    }

    /// The leader's node looks for expired keys and logs their removal.
    pub(crate) fn on_expiry(&mut self, g: usize) {
        if !self.is_issuing {
            return;
        }
        let event = Event::Expiry { group: g as u8 };
        self.agenda.after(EXPIRY_EVERY, event);
        for n in self.plan.groups[g].members.clone() {
            let now = self.now(n);
            let host = self.nodes[n].replicas[g].host.as_ref();
            let is_open =
                host.is_some_and(|host| host.admission() == repertoire_core::Admission::Open);
            if !is_open || self.nodes[n].paused_until > self.time() {
                continue;
            }
            let mut rows = Vec::new();
            if let Some(engine) = self.engine(n, g) {
                let end = expiry::index_end(now.wall);
                let scanned = engine.scan(
                    repertoire_core::Space::Replicated,
                    &[],
                    &end,
                    &mut |row, _| {
                        rows.push(row.to_vec());
                        rows.len() < expiry::EXPIRE_MAX
                    },
                );
                debug_assert!(scanned.is_ok());
            }
            let due = rows
                .iter()
                .filter_map(|row| expiry::Expiry::from_index_key(row));
            let args = expiry::expire_args(due);
            if !args.is_empty() {
                self.submit_internal(n, g, &args);
            }
        }
    }

    fn submit_internal(&mut self, n: usize, g: usize, args: &[u8]) {
        let now = self.now(n);
        self.internal += 1;
        let call = repertoire_core::Operation::Call {
            function: repertoire_core::EXPIRE_FUNCTION,
            args,
        };
        let request = WriteRequest {
            id: RequestId {
                client: ClientId::INTERNAL,
                seq: self.internal,
                acked_upto: 0,
            },
            reply_to: ReplyHandle {
                session: u64::MAX,
                request: u64::MAX,
            },
            acks: None,
            deadline: Mono(now.mono.0 + 200 * MILLI),
            body: call.encode(),
        };
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            host.submit(now, request);
            self.touched(n, g);
        }
    }
}
