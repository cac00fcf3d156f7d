//! Sessions over one leader and many followers that lag: how often does a session look back in time?
//!
//! The replicas run the protocol itself. Disks are instant and nothing fails: what is measured is lag,
//! and nothing else. Each follower has a link of its own, slow or quick, on which every message takes
//! a time drawn at random, in order.

mod replicas;
mod sessions;

use repertoire_checker::session::{self, Guarantee};

use crate::clock::{MILLI, Nanos};
use crate::rng::Rng;
use replicas::{Done, Replicas};
use sessions::Sessions;

/// Where the reads of a session go, and what they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Any follower, whatever it has.
    Anywhere,
    /// The follower `hash % n`, whatever it has; `n` changes as followers come and go.
    Modulo,
    /// Any follower that contains what the session has seen.
    Token,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct CrowdConfig {
    /// Decides everything.
    pub seed: u64,
    /// Followers, beside the leader.
    pub followers: u64,
    /// Sessions that do one thing after the other.
    pub sessions: u32,
    /// Operations of all sessions together.
    pub operations: u64,
    /// How reads find their replica.
    pub routing: Routing,
}

impl CrowdConfig {
    /// Fifty followers and two hundred sessions.
    pub const fn new(seed: u64, operations: u64, routing: Routing) -> Self {
        Self {
            seed,
            followers: 50,
            sessions: 200,
            operations,
            routing,
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrowdReport {
    /// Operations that ended.
    pub operations: u64,
    /// Writes among them.
    pub writes: u64,
    /// Reads that waited for their replica to catch up.
    pub waited: u64,
    /// Mean lag of the replica at a read, in records.
    pub lag_records_mean: u64,
    /// Reads that did not show a write of their own session.
    pub read_your_writes: u64,
    /// Reads that showed less than an earlier one of their session.
    pub monotonic_reads: u64,
    /// Violations of the other guarantees.
    pub others: u64,
    /// The first violation in words.
    pub example: Option<String>,
}

impl CrowdReport {
    /// All violations.
    pub const fn violations(&self) -> u64 {
        self.read_your_writes + self.monotonic_reads + self.others
    }
}

/// Something that happens at a moment.
enum Happening {
    /// A message arrives, or a timer fires.
    Replica(replicas::Event),
    /// A session goes on.
    Session(u32),
}

/// Runs until all operations have ended.
pub fn crowd(config: &CrowdConfig) -> CrowdReport {
    let mut rng = Rng::new(config.seed);
    let mut agenda = Agenda::default();
    let mut replicas = Replicas::start(config.followers, &mut rng, &mut agenda);
    let mut sessions = Sessions::new(config, rng.fork(1));
    for session in 0..config.sessions {
        // The leader takes over and the followers hear of it first.
        let at = 500 * MILLI + rng.below(10 * MILLI);
        agenda.at(at, Happening::Session(session));
    }
    let mut report = CrowdReport::default();
    while report.operations < config.operations {
        let Some((now, happening)) = agenda.next() else {
            break;
        };
        match happening {
            Happening::Replica(event) => replicas.on_event(now, event, &mut agenda),
            Happening::Session(session) => sessions.ask(now, session, &mut replicas, &mut agenda),
        }
        for done in replicas.take_done() {
            report.operations += 1;
            let session = sessions.end(now, &done, &replicas);
            if let Done::Read { lag_records, .. } = done {
                report.lag_records_mean += lag_records;
            }
            let pause = rng.exponential(MILLI) + 1;
            agenda.at(now + pause, Happening::Session(session));
        }
    }
    sessions.fill(&mut report);
    let found = session::check(&Guarantee::ALL, sessions.accesses());
    for violation in &found.violations {
        let count = if violation.invariant == Guarantee::ReadYourWrites.invariant() {
            &mut report.read_your_writes
        } else if violation.invariant == Guarantee::MonotonicReads.invariant() {
            &mut report.monotonic_reads
        } else {
            &mut report.others
        };
        *count += 1;
    }
    report.example = found.violations.first().map(ToString::to_string);
    report
}

/// What is to happen, in order of time and, at one moment, of its announcement.
#[derive(Default)]
struct Agenda {
    events: std::collections::BTreeMap<(Nanos, u64), Happening>,
    count: u64,
}

impl Agenda {
    fn at(&mut self, at: Nanos, happening: Happening) {
        self.count += 1;
        self.events.insert((at, self.count), happening);
    }

    fn next(&mut self) -> Option<(Nanos, Happening)> {
        let ((at, _), happening) = self.events.pop_first()?;
        Some((at, happening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(routing: Routing) -> CrowdReport {
        let config = CrowdConfig::new(1, 40_000, routing);
        let report = crowd(&config);
        assert!(report.operations >= config.operations);
        assert!(
            report.writes > 1000 && report.lag_records_mean > 10,
            "{report:?}"
        );
        report
    }

    #[test]
    fn sessions_without_tokens_look_back_in_time() {
        let report = run(Routing::Anywhere);
        assert!(
            report.read_your_writes > 0 && report.monotonic_reads > 0,
            "{report:?}"
        );
    }

    #[test]
    fn a_sticky_replica_alone_is_no_guarantee() {
        let report = run(Routing::Modulo);
        assert!(
            report.read_your_writes > 0 && report.monotonic_reads > 0,
            "{report:?}"
        );
    }

    #[test]
    fn sessions_with_tokens_never_do() {
        let report = run(Routing::Token);
        assert_eq!(report.violations(), 0, "{:?}", report.example);
        assert!(report.waited > 0, "{report:?}");
    }

    #[cfg(feature = "sabotage")]
    #[test]
    fn a_follower_that_ignores_tokens_is_noticed() {
        use repertoire_core::sabotage::{Bug, plant};
        plant(&[Bug::SessionTokenIgnored]);
        let report = run(Routing::Token);
        plant(&[]);
        assert!(
            report.read_your_writes > 0 && report.monotonic_reads > 0,
            "{report:?}"
        );
    }
}
