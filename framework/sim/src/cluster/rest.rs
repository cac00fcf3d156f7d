//! Looking at the whole: what replicas say of themselves while the run goes on, and what must hold
//! when it has come to rest.

use std::fmt::Write as _;

use repertoire_core::{
    Mono, Outcome, Position, ReadLevel, ReadQuery, ReadRequest, ReplyHandle, Role,
};

use super::World;
use crate::cast::Cast;
use crate::client::{Ending, Op};
use crate::invariants::ledger::Account;
use crate::invariants::log_matching::Place;
use crate::invariants::{
    bounded, compare_and_set, isolation, linearizable, monotone, order, sessions, staleness,
};
use crate::sometimes::Situation;
use crate::watch::{Content, Stamp};

impl<C: Cast> World<'_, C> {
    /// Looks at what all replicas say of themselves, and at what waits.
    pub(crate) fn inspect_all(&mut self) {
        let mut seen = std::mem::take(&mut self.vitals);
        for g in 0..self.plan.groups.len() {
            seen.clear();
            let requests = self.plan.requests_under_way(g);
            for (n, node) in self.nodes.iter().enumerate() {
                let at = Place { node: n, group: g };
                let Some(host) = &node.replicas[g].host else {
                    continue;
                };
                let waiting = node.log.queue.len();
                // Those that were given up are bounded by their bytes.
                let awaited = host.writes_in_flight() - host.writes_given_up();
                bounded::judge(at, requests, awaited, waiting, &mut self.findings);
                seen.push((n, host.vitals()));
            }
            monotone::judge_roles(g, &seen, &mut self.findings);
        }
        self.vitals = seen;
    }

    /// Looks at what a replica says of itself after a batch.
    #[inline]
    pub(crate) fn inspect(&mut self, n: usize, g: usize) {
        let replica = &mut self.nodes[n].replicas[g];
        if let Some(host) = &replica.host {
            let (at, vitals) = (Place { node: n, group: g }, host.vitals());
            order::judge(at, &vitals, &mut self.findings);
            replica.progress.judge(at, &vitals, &mut self.findings);
        }
    }

    /// Whether every live replica of every keyspace has applied everything that any of them has, and
    /// nothing is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        let settled = |g: usize| {
            let end = self.known[g].canon.end();
            self.nodes.iter().filter(|node| !node.is_gone).all(|node| {
                let replica = &node.replicas[g];
                let is_there = replica.host.as_ref().is_some_and(|host| {
                    host.applied().lsn.0 == end && host.writes_in_flight() == 0 && !host.has_more()
                });
                !replica.is_member
                    || (is_there && replica.jobs.is_empty() && replica.job_under_way.is_none())
            })
        };
        let is_led = |g: usize| {
            let hosts = self
                .nodes
                .iter()
                .filter_map(|node| node.replicas[g].host.as_ref());
            let mut roles = hosts.map(|host| host.vitals().role);
            !self.plan.groups[g].elects() || roles.any(|role| role == Role::Leader)
        };
        (0..self.plan.groups.len()).all(|g| settled(g) && is_led(g))
    }

    /// What keeps the run from coming to rest, in words.
    pub(crate) fn unrest(&self) -> String {
        let mut words = format!("{} requests unfinished", self.book.unfinished());
        for (g, known) in self.known.iter().enumerate() {
            let _ = write!(words, "; keyspace {g} ends at {}", known.canon.end());
            for (n, node) in self.nodes.iter().enumerate() {
                let replica = &node.replicas[g];
                if let Some(host) = &replica.host {
                    let status = host.inspect();
                    let _ = write!(
                        words,
                        ", node {n}: {:?} {} last {} durable {} commit {} applied {} snapshot {}, {} writes",
                        status.role,
                        status.epoch,
                        status.last,
                        status.durable_lsn.0,
                        status.commit_lsn.0,
                        host.applied().lsn.0,
                        status.snapshot_lsn.0,
                        host.writes_in_flight()
                    );
                    if let Some(view) = host.members().filter(|_| self.plan.groups[g].churns()) {
                        let members = view.membership.members().iter();
                        let members: Vec<_> = members.map(|m| (m.node.0 - 1, m.role)).collect();
                        let settled = if view.is_settled { "settled" } else { "open" };
                        let _ = write!(words, ", members {members:?} {settled} at {}", view.at);
                    }
                } else if replica.is_member {
                    let _ = write!(words, ", node {n} is down");
                }
            }
        }
        words
    }

    /// Asks every live replica for the digest of its state.
    pub(crate) fn ask_digests(&mut self) {
        for g in 0..self.plan.groups.len() {
            for n in 0..self.nodes.len() {
                let now = self.now(n);
                let request = ReadRequest {
                    reply_to: ReplyHandle {
                        session: u64::MAX,
                        request: 1,
                    },
                    level: ReadLevel::Local,
                    deadline: Mono::NEVER,
                    query: ReadQuery::Digest,
                };
                if let Some(host) = &mut self.nodes[n].replicas[g].host {
                    host.read(now, request);
                    self.touched(n, g);
                }
            }
        }
    }

    /// Takes an answer to the harness' own request.
    pub(crate) fn take_rest_digest(&mut self, n: usize, g: usize, outcome: &Outcome) {
        match outcome {
            Outcome::Written { .. } => self.reached.note(Situation::ExpiryLogged),
            Outcome::Answered {
                position: Position::Entry(position),
                answer: repertoire_core::Answer::Digest(digest),
            } => self.rest_digests.push((n, g, position.lsn.0, *digest)),
            Outcome::Answered { .. } | Outcome::Failed(_) => {}
        }
    }

    /// Judges the run once it has come to rest.
    pub(crate) fn judge_rest(&mut self) {
        let digests = std::mem::take(&mut self.rest_digests);
        for (n, g, lsn, digest) in digests {
            let known = &mut self.known[g].digests;
            known.judge(n, g, lsn, digest, &mut self.findings);
        }
        let mut writers: Vec<(Stamp, usize)> = Vec::new();
        for (number, op) in self.book.ops.iter().enumerate() {
            writers.extend(op.stamps().map(|stamp| (stamp, number)));
        }
        writers.sort_unstable();
        for g in 0..self.plan.groups.len() {
            self.judge_discards(g);
            self.judge_group(g, &writers);
        }
    }

    fn judge_group(&mut self, g: usize, writers: &[(Stamp, usize)]) {
        let mut findings = std::mem::take(&mut self.findings);
        let canon = &self.known[g].canon;
        let ops: &[Op] = &self.book.ops;
        let account = Account::new(g, ops, canon);
        linearizable::judge(g, ops, &account.registers(), &mut findings);
        staleness::judge(g, ops, &mut findings);
        compare_and_set::judge(g, ops, canon, &mut findings);
        sessions::judge(g, ops, &self.clients, canon, &mut findings);
        let writer = |stamp: Stamp| {
            let found = writers.binary_search_by_key(&stamp, |known| known.0).ok()?;
            writers.get(found).map(|known| known.1)
        };
        let contents = canon.keys().flat_map(|key| canon.versions(key));
        for content in contents.map(|version| version.content) {
            isolation::judge(g, content, writer, ops, &mut findings);
            findings.require(
                !matches!(content, Content::Foreign(_)),
                "A2.phantom",
                || format!("keyspace {g}: bytes of nobody were applied"),
            );
        }
        let live = (0..self.nodes.len()).find_map(|n| self.engine(n, g));
        if let Some(engine) = live {
            account.audit(g, canon, engine, &mut findings);
        }
        self.findings = findings;
    }

    /// How many of a hundred operations succeeded.
    pub(crate) fn succeeded(&self) -> (u64, u64) {
        let ended = self.book.ops.iter().filter(|op| op.ending != Ending::Open);
        let done = self.book.ops.iter().filter(|op| op.ending == Ending::Done);
        (done.count() as u64, ended.count() as u64)
    }
}
