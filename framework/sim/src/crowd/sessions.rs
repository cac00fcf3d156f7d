//! Sessions that write and read, one thing after the other, and what they saw.

use std::collections::BTreeMap;

use repertoire_checker::session::{Access, AccessKind};
use repertoire_checker::{OpId, SessionId};
use repertoire_core::{Need, ReadLevel, SessionPositions};

use super::replicas::{Done, GROUP, Replicas};
use super::{Agenda, CrowdConfig, CrowdReport, Routing};
use crate::clock::{MILLI, Nanos};
use crate::rng::{Rng, mix};

/// Keys: few, so that a session often reads what it or another one has just written.
const KEYS: u8 = 64;

/// How often the number of followers changes that the router by `hash % n` counts.
const CHANGE_EVERY: Nanos = 50 * MILLI;

struct Session {
    seen: SessionPositions,
    key: u8,
    asked: Need,
}

/// All sessions, and what they did.
pub(super) struct Sessions {
    sessions: Vec<Session>,
    routing: Routing,
    rng: Rng,
    /// The writes of each key, in order.
    versions: BTreeMap<u8, Vec<u64>>,
    history: Vec<(u32, u8, AccessKind)>,
    writes: u64,
    waited: u64,
}

impl Sessions {
    pub(super) fn new(config: &CrowdConfig, rng: Rng) -> Self {
        let session = || Session {
            seen: SessionPositions::default(),
            key: 0,
            asked: Need::Nothing,
        };
        Self {
            sessions: (0..config.sessions).map(|_| session()).collect(),
            routing: config.routing,
            rng,
            versions: BTreeMap::new(),
            history: Vec::new(),
            writes: 0,
            waited: 0,
        }
    }

    /// A session does the next thing: mostly it reads, and after a write what it wrote.
    pub(super) fn ask(
        &mut self,
        now: Nanos,
        number: u32,
        replicas: &mut Replicas,
        agenda: &mut Agenda,
    ) {
        let followers = replicas.followers();
        let session = &mut self.sessions[number as usize];
        if self.rng.one_in(10) {
            session.key = self.rng.below(KEYS.into()) as u8;
            replicas.write(now, number, agenda);
            return;
        }
        if self.rng.one_in(2) {
            session.key = self.rng.below(KEYS.into()) as u8;
        }
        let node = match self.routing {
            Routing::Anywhere | Routing::Token => 2 + self.rng.below(followers),
            Routing::Modulo => {
                let gone = (now / CHANGE_EVERY) % 2;
                2 + mix(number.into()) % (followers - gone)
            }
        };
        session.asked = match self.routing {
            Routing::Token => session.seen.need(GROUP),
            Routing::Anywhere | Routing::Modulo => Need::Nothing,
        };
        let level = match &session.asked {
            Need::Contains(position) => ReadLevel::Session(position.clone()),
            Need::Nothing => ReadLevel::Local,
            Need::Leader => unreachable!("one group is never too many"),
        };
        replicas.read(now, (number, node), &level, agenda);
    }

    /// Takes the end of an operation in. Returns whose it was.
    pub(super) fn end(&mut self, _now: Nanos, done: &Done, replicas: &Replicas) -> u32 {
        self.waited = replicas.waited;
        match done {
            Done::Written {
                session: number,
                at,
            } => {
                let session = &mut self.sessions[*number as usize];
                session.seen.note(GROUP, *at);
                self.versions.entry(session.key).or_default().push(at.lsn.0);
                let version = at.lsn.0;
                assert!(at.lsn <= replicas.visible(), "acknowledged, so visible");
                self.writes += 1;
                self.history
                    .push((*number, session.key, AccessKind::Write { version }));
                *number
            }
            Done::Read {
                session: number,
                at,
                ..
            } => {
                let session = &mut self.sessions[*number as usize];
                let asked = std::mem::replace(&mut session.asked, Need::Nothing);
                session.seen.note_read(GROUP, &asked, *at);
                let versions = self
                    .versions
                    .get(&session.key)
                    .map_or(&[][..], Vec::as_slice);
                let count = versions.partition_point(|lsn| *lsn <= at.lsn.0);
                let version = count.checked_sub(1).map_or(0, |last| versions[last]);
                self.history
                    .push((*number, session.key, AccessKind::Read { version }));
                *number
            }
        }
    }

    /// Adds what was counted.
    pub(super) fn fill(&self, report: &mut CrowdReport) {
        report.writes = self.writes;
        report.waited = self.waited;
        let reads = report.operations - report.writes;
        report.lag_records_mean /= reads.max(1);
    }

    /// What the sessions did, in order.
    pub(super) fn accesses(&self) -> impl Iterator<Item = Access<'static>> + '_ {
        (0..)
            .zip(&self.history)
            .map(|(op, (session, key, kind))| Access {
                op: OpId(op),
                session: SessionId((*session).into()),
                key: &KEY_NAMES[usize::from(*key)],
                kind: *kind,
            })
    }
}

/// The names of the keys.
static KEY_NAMES: [[u8; 1]; KEYS as usize] = {
    let mut names = [[0]; KEYS as usize];
    let mut key = 0;
    while key < KEYS {
        names[key as usize] = [key];
        key += 1;
    }
    names
};
