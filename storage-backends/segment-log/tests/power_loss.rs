//! Random operations and crashes against a model: what was synced is there, what is there is a
//! prefix of what was written, and nothing stale ever comes back out of a recycled segment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use common::model::State;
use common::{A, B, Random, S0, S1, hard_state, op};
use repertoire_core::{Entry, EntryId, GroupLogOp, LogOp, LogStore, Lsn};
use repertoire_segment_log::{MemoryDisk, PowerLoss, SegmentLog};
use repertoire_storage_faulty::Survivors;

const SEGMENT: u32 = 12 * 1024;

struct Case {
    random: Random,
    log: SegmentLog<MemoryDisk>,
    /// The state after each operation since the last sync; the first one is the synced state.
    states: Vec<State>,
    epoch: u64,
    salt: u64,
    trouble: String,
}

impl Case {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            log: common::open(MemoryDisk::new(), SEGMENT),
            states: vec![State::default()],
            epoch: 1,
            salt: seed,
            trouble: format!("seed {seed}"),
        }
    }

    fn state(&self) -> &State {
        self.states.last().unwrap()
    }

    fn random_op(&mut self, state: &State) -> GroupLogOp {
        let group = [A, B][self.random.below(2) as usize];
        let stream = [S0, S1][self.random.below(2) as usize];
        let known = state.0.get(&group).and_then(|g| g.streams.get(&stream));
        let known = known.cloned().unwrap_or_default();
        let (last, ends) = (known.last(), known.entries.values().map(Entry::last));
        let ends: Vec<_> = ends.filter(|end| end.lsn > known.checkpoint.lsn).collect();
        match self.random.below(100) {
            0..60 => {
                let len = [0, 10, 100, 700, 2500][self.random.below(5) as usize];
                let count = 1 + self.random.below(3) as u32;
                self.salt += 1;
                // Some entries are written again byte for byte, as a retry after a crash is.
                let salt = if self.random.below(2) == 0 {
                    0
                } else {
                    self.salt
                };
                let entry = common::entry(self.epoch, last.lsn.0 + 1, count, len, salt);
                op(group, LogOp::Append { stream, entry })
            }
            60..70 if !ends.is_empty() => {
                let keep = self.random.below(ends.len() as u64) as usize;
                self.epoch += 1;
                let last = ends[keep].lsn;
                op(group, LogOp::Truncate { stream, last })
            }
            70..90 if !ends.is_empty() => {
                let upto = ends[self.random.below(ends.len() as u64) as usize];
                op(group, LogOp::Checkpoint { stream, upto })
            }
            90..92 => {
                let lsn = Lsn(last.lsn.0 + self.random.below(50));
                let base = EntryId::new(last.epoch, lsn);
                op(group, LogOp::Reset { stream, base })
            }
            _ => hard_state(group, &self.random.next().to_le_bytes()),
        }
    }

    fn write(&mut self) {
        let mut state = self.state().clone();
        let mut burst = Vec::new();
        for _ in 0..=self.random.below(6) {
            let op = self.random_op(&state);
            state.apply(&op);
            self.states.push(state.clone());
            burst.push(op);
        }
        self.log.write(&burst).expect(&self.trouble);
    }

    fn sync(&mut self) {
        self.log.sync().expect(&self.trouble);
        self.states.drain(..self.states.len() - 1);
    }

    fn crash(&mut self) {
        let mut disk =
            std::mem::replace(&mut self.log, common::open(MemoryDisk::new(), SEGMENT)).into_disk();
        let seed = self.random.next();
        let survivors = match self.random.below(4) {
            0 => Some(Survivors::None),
            1 => Some(Survivors::RandomPages { seed }),
            2 => Some(Survivors::RandomSectors { seed }),
            _ => None,
        };
        if let Some(survivors) = survivors {
            disk.lose_power(&mut *survivors.into_rule());
        }
        self.log = common::open(disk, SEGMENT);
        let log = &mut self.log;
        let found: Vec<_> = self.states.iter().map(|state| state.matches(log)).collect();
        let Some(index) = found.iter().rposition(Result::is_ok) else {
            let (damage, recovered) = (self.log.damage(), self.log.recovered());
            panic!(
                "{}: no prefix matches: {found:?}, {damage:?}, {recovered:?}",
                self.trouble
            );
        };
        self.states = vec![self.states.swap_remove(index)];
        let again = common::reopen_durable(&self.log, SEGMENT);
        assert_eq!(again.recovered(), self.log.recovered(), "{}", self.trouble);
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..10 => self.write(),
            10..14 => self.sync(),
            14..17 => {
                let budget = self.random.below(5000);
                self.log.prepare_step(budget).expect(&self.trouble);
            }
            17 => {
                self.log.set_retention(A, self.random.next() % 8000);
            }
            18 => self.check(),
            _ => self.crash(),
        }
    }

    /// The running log holds what was written, synced or not.
    fn check(&mut self) {
        let state = self.state().clone();
        for (group, known) in &state.0 {
            for (stream, known) in &known.streams {
                let matches = known.matches(&mut self.log, *group, *stream, None);
                matches.unwrap_or_else(|error| panic!("{}: {error}", self.trouble));
            }
        }
    }
}

/// Runs `CASES` cases (by default 400) from `SEED` on, or from `first`.
fn run(first: u64) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|number| number.parse().ok())
    };
    let first = number("SEED").unwrap_or(first);
    let (mut freed, mut copied) = (0, 0);
    for seed in first..first + number("CASES").unwrap_or(400) {
        let mut case = Case::new(seed);
        for _ in 0..120 {
            case.step();
        }
        case.check();
        freed += case.log.counters().segments_freed;
        copied += case.log.counters().bytes_copied;
    }
    assert!(freed > 0 && copied > 0, "{freed} freed, {copied} copied");
}

// Two halves, for two cores.

#[test]
fn a_crash_loses_nothing_synced() {
    run(0);
}

#[test]
fn a_crash_brings_back_nothing_cut() {
    run(1_000_000);
}
