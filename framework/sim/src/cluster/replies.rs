//! What clients make of replies: done, refused, to be tried again, not known.

use repertoire_core::{ClientId, ErrorKind, Outcome, Position, Retry, Role, WriteOutcome};

use super::event::ReplyOut;
use super::{Event, World};
use crate::cast::Cast;
use crate::client::{Ask, Ending, Level};
use crate::clock::MILLI;
use crate::invariants::{at_most_once, errors, sessions};
use crate::plan::node_index;
use crate::sometimes::Situation;
use crate::watch::{Content, KeyId, KeyKind};

/// Number of an attempt that repeats a request after its success.
const ECHO: u8 = 200;

impl<C: Cast> World<'_, C> {
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
                if let Ask::Get {
                    level: Level::Bounded(_),
                    ..
                } = op.ask
                {
                    let g = op.group;
                    let host = &self.nodes[usize::from(node)].replicas[g].host;
                    let role = host.as_ref().map(|host| host.vitals().role);
                    if role == Some(Role::Follower) {
                        self.reached.note(Situation::BoundedReadAtFollower);
                    }
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
                level: Level::Local | Level::Bounded(_),
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

    pub(crate) fn renew_session(&mut self, client: usize, stale: ClientId) {
        let walls = (0..self.nodes.len()).map(|n| self.now(n).wall);
        let newest = walls.max().unwrap_or_default().max(self.newest_wall);
        self.clients[client].renew(stale, newest);
    }
}
