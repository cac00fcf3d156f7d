//! Taking failures in: what [`retry`] decides is carried out here.

use std::collections::BTreeMap;

use repertoire_core::{Error, ErrorKind, GroupId, NodeId, Wall, WriteOutcome};
use tokio::time::Instant;

use super::Hub;
use super::links::{Link, is_avoided};
use super::settle::From;
use super::spans::Origin;
use crate::flight::{Flight, Stage};
use crate::reads::ReadId;
use crate::retry::{self, Attempt, Decision};

/// What the failures of a run of writes ask of their group.
#[derive(Debug, Default)]
struct Advice {
    leader: Option<NodeId>,
    is_turn: bool,
    wake_at: Option<Instant>,
    expired: Vec<Flight>,
    freed: usize,
}

/// As [`retry::decide`], but nobody is sent to a leader that does not answer: whoever names it will
/// know better soon.
fn decide(
    links: &BTreeMap<NodeId, Link>,
    attempt: Attempt,
    error: &Error,
    now: Instant,
) -> Decision {
    match retry::decide(attempt, error) {
        Decision::Redirect(leader, _) if is_avoided(links, leader, now) => {
            Decision::Elsewhere(retry::pause(attempt.tries, attempt.random))
        }
        decision => decision,
    }
}

impl Hub {
    /// Requests failed; see [`retry`].
    pub(super) fn failed(&mut self, from: From, first: u64, count: u64, error: &Error) {
        let mut done = 0;
        while done < count {
            let Some((origin, run)) = self.answered(from, first + done, count - done) else {
                return;
            };
            match origin {
                Origin::Writes {
                    group,
                    session,
                    seq,
                } => {
                    self.note_stale(group, error);
                    self.writes_failed(from, (group, session, seq), run, error);
                }
                Origin::Read(id) => self.read_failed(from, id, error),
            }
            done += run;
        }
        if error.retry() != repertoire_core::Retry::No {
            self.trouble = Some(error.clone().with("node", from.node));
        }
    }

    /// Remembers that a keyspace's descriptor must be fetched.
    fn note_stale(&mut self, group: GroupId, error: &Error) {
        if let ErrorKind::StaleDescriptor { need, .. } = error.kind() {
            self.newer_epochs.insert(group.keyspace, *need);
            if self.descriptors.contains_key(&group.keyspace) {
                self.stale.insert(group.keyspace);
                self.alarm = true;
            }
        }
    }

    fn writes_failed(
        &mut self,
        from: From,
        (id, tag, seq): (GroupId, u64, u64),
        run: u64,
        error: &Error,
    ) {
        let mut advice = Advice::default();
        for seq in seq..seq + run {
            self.write_failed(from, (id, tag, seq), error, &mut advice);
        }
        self.land(from, advice.freed);
        if let Some(at) = advice.wake_at {
            self.watch(at);
        }
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        if let Some(leader) = advice.leader {
            group.set_leader(leader);
        } else if advice.is_turn {
            group.turn_from(from.node, |node| is_avoided(&self.links, node, from.now));
        }
        if group.has_work() {
            self.ready.insert(id);
        }
        if !advice.expired.is_empty() {
            self.renumber(id, tag, advice.expired, from.now);
        }
    }

    fn write_failed(
        &mut self,
        from: From,
        (id, tag, seq): (GroupId, u64, u64),
        error: &Error,
        advice: &mut Advice,
    ) {
        let random = self.random.next();
        let Some(session) = self
            .groups
            .get_mut(&id)
            .and_then(|group| group.session(tag))
        else {
            return;
        };
        let Some(flight) = session.numbering.get_mut(seq) else {
            return;
        };
        if flight.stage != Stage::UnderWay(from.generation) {
            return;
        }
        let cost = flight.cost();
        advice.freed += cost;
        let attempt = Attempt {
            node: from.node,
            tries: flight.tries,
            is_doubtful: flight.is_doubtful,
            random,
        };
        let decision = decide(&self.links, attempt, error, from.now);
        flight.is_doubtful = retry::is_doubtful_after(flight.is_doubtful, error);
        let pause = match decision {
            Decision::Redirect(leader, pause) => {
                advice.leader = Some(leader);
                pause
            }
            Decision::Elsewhere(pause) => {
                advice.is_turn = true;
                pause
            }
            Decision::Again(pause) | Decision::Refresh(pause) => pause,
            Decision::Renumber => {
                advice.expired.extend(session.numbering.settle(seq));
                return;
            }
            Decision::Report => {
                if let Some(flight) = session.numbering.settle(seq) {
                    let error = self.report(error, &flight, id, Some(from.node));
                    flight.waiter.failed(error, &mut self.pipes);
                    self.release(cost);
                }
                return;
            }
        };
        let at = (!pause.is_zero()).then(|| from.now + pause);
        session.retry(seq, at);
        advice.wake_at = earlier(advice.wake_at, at);
    }

    /// Puts writes of an expired session into a new one.
    fn renumber(&mut self, id: GroupId, tag: u64, expired: Vec<Flight>, now: Instant) {
        let current = self.groups.get(&id).and_then(|group| group.sessions.last());
        if let Some(session) = current.filter(|session| session.tag == tag) {
            // A session that was refused from its first write on: this machine's clock is behind.
            let is_new = session.known == 0;
            let lifetime = self.groups.get(&id).map_or(0, |group| group.lifetime_ms);
            let created = session.numbering.client().created();
            let not_before = if is_new {
                Wall(created.0 + lifetime)
            } else {
                Wall(0)
            };
            self.renew(id, not_before, now);
        }
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        if let Some(session) = group.sessions.last_mut() {
            for mut flight in expired {
                flight.stage = Stage::Waiting;
                session.numbering.push(flight);
            }
            self.ready.insert(id);
        }
        group.tidy();
    }

    fn read_failed(&mut self, from: From, id: ReadId, error: &Error) {
        let random = self.random.next();
        let Some(read) = self.reads.get_mut(id) else {
            return;
        };
        if read.stage != Stage::UnderWay(from.generation) {
            return;
        }
        let (group, cost) = (read.group, read.cost());
        let attempt = Attempt {
            node: from.node,
            tries: read.tries,
            is_doubtful: true,
            random,
        };
        let decision = decide(&self.links, attempt, error, from.now);
        let pause = match decision {
            Decision::Redirect(_, pause) | Decision::Elsewhere(pause) => {
                read.node = None;
                Some(pause)
            }
            Decision::Again(pause) | Decision::Refresh(pause) => Some(pause),
            Decision::Renumber | Decision::Report => None,
        };
        if let Some(pause) = pause {
            read.stage = if pause.is_zero() {
                Stage::Waiting
            } else {
                Stage::Paused
            };
        }
        self.note_stale(group, error);
        self.land(from, cost);
        match (decision, self.groups.get_mut(&group)) {
            (Decision::Redirect(leader, _), Some(group)) => group.set_leader(leader),
            (Decision::Elsewhere(_), Some(group)) => {
                group.turn_from(from.node, |node| is_avoided(&self.links, node, from.now));
            }
            _ => {}
        }
        match pause {
            Some(pause) if pause.is_zero() => self.ready_reads.push(id),
            Some(pause) => {
                self.paused_reads.push((from.now + pause, id));
                self.watch(from.now + pause);
            }
            None => self.end_read(id, |tries| described(error, group, tries, Some(from.node))),
        }
    }

    /// Ends a read with an error, made from the number of its attempts.
    pub(super) fn end_read(&mut self, id: ReadId, error: impl FnOnce(u32) -> Error) {
        if let Some(read) = self.reads.take(id) {
            self.release(read.cost());
            let error = error(read.tries).with_outcome(WriteOutcome::NotApplied);
            read.waiter.failed(error, &mut self.pipes);
        }
    }

    /// An error as the caller of a write sees it.
    #[allow(clippy::unused_self, reason = "reads as a method beside its siblings")]
    pub(super) fn report(
        &self,
        error: &Error,
        flight: &Flight,
        group: GroupId,
        node: Option<NodeId>,
    ) -> Error {
        described(error, group, flight.tries, node).with_outcome(retry::outcome(flight.is_doubtful))
    }
}

fn described(error: &Error, group: GroupId, tries: u32, node: Option<NodeId>) -> Error {
    // Nodes tell the group, too.
    let has_group = error.context().iter().any(|(name, _)| name == "group");
    let error = error.clone();
    let error = if has_group {
        error
    } else {
        error.with("group", group)
    };
    let error = error.with("attempts", tries);
    match node {
        Some(node) => error.with("node", node),
        None => error,
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
