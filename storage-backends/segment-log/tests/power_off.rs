//! The power fails before each single disk operation of a run: while writing, syncing, preparing,
//! emptying segments, and while recovering from the failure before.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::model::State;
use common::{A, B, append, checkpoint, hard_state, id, options, truncate};
use repertoire_core::{Error, GroupLogOp, LogStore};
use repertoire_segment_log::{MemoryDisk, SegmentLog};
use repertoire_storage_faulty::{Fault, FaultyDisk, Survivors};

const SEGMENT: u32 = 12 * 1024;

type Log = SegmentLog<FaultyDisk<MemoryDisk>>;

/// The bursts of the run. B writes little and is copied forward again and again.
fn bursts() -> Vec<Vec<GroupLogOp>> {
    let mut bursts = vec![vec![
        append(B, 1, 700),
        hard_state(B, b"vote"),
        append(B, 2, 700),
    ]];
    for lsn in 1..60 {
        bursts.push(vec![append(A, lsn, 900)]);
        match lsn % 10 {
            3 => bursts.push(vec![checkpoint(A, id(1, lsn - 1)), hard_state(A, &[7])]),
            7 => bursts.push(vec![append(A, lsn + 1, 10), truncate(A, lsn)]),
            _ => {}
        }
    }
    bursts
}

/// Runs to the end or to the failure; answers the states that may be found afterwards.
fn run(log: &mut Log) -> (Vec<State>, Result<(), Error>) {
    let mut states = vec![State::default()];
    for burst in bursts() {
        let mut state = states[states.len() - 1].clone();
        for op in &burst {
            state.apply(op);
            states.push(state.clone());
        }
        let done = log
            .write(&burst)
            .and_then(|()| log.sync())
            .and_then(|()| log.prepare_step(2500).map(|_| ()))
            .and_then(|()| log.prepare_step(700).map(|_| ()));
        if let Err(error) = done {
            return (states, Err(error));
        }
        states.drain(..states.len() - 1);
    }
    (states, Ok(()))
}

#[test]
fn the_power_may_fail_before_any_operation() {
    let mut whole = SegmentLog::open(FaultyDisk::new(MemoryDisk::new()), options(SEGMENT)).unwrap();
    run(&mut whole).1.unwrap();
    let counters = whole.counters();
    assert!(
        counters.segments_freed > 3 && counters.bytes_copied > 5000,
        "{counters:?}"
    );
    let operations = whole.disk().operations();
    for nth in 1..=operations {
        let mut disk = FaultyDisk::new(MemoryDisk::new());
        disk.inject(Fault::PowerOff { nth });
        let (mut disk, states) = match SegmentLog::open_or_return(disk, options(SEGMENT)) {
            Err(failure) => (failure.disk, vec![State::default()]),
            Ok(mut log) => {
                let (states, ended) = run(&mut log);
                assert!(ended.is_err(), "operation {nth}");
                (log.into_disk(), states)
            }
        };
        let seed = nth;
        disk.crash(match nth % 3 {
            0 => Survivors::None,
            1 => Survivors::RandomPages { seed },
            _ => Survivors::RandomSectors { seed },
        });
        let mut log = recover_under_fire(disk, nth);
        let found = states.iter().rev().map(|state| state.matches(&mut log));
        let found: Vec<_> = found.collect();
        assert!(
            found.iter().any(Result::is_ok),
            "operation {nth}: {found:?}"
        );
    }
}

/// Opens the log; the power fails at the first operation of recovery, then at the second, and so on.
fn recover_under_fire(mut disk: FaultyDisk<MemoryDisk>, seed: u64) -> Log {
    for nth in 1.. {
        disk.inject(Fault::PowerOff { nth });
        match SegmentLog::open_or_return(disk, options(SEGMENT)) {
            Ok(mut log) => {
                log.disk_mut().heal();
                return log;
            }
            Err(failure) => {
                disk = failure.disk;
                disk.crash(Survivors::RandomSectors {
                    seed: seed * 100 + nth,
                });
            }
        }
    }
    unreachable!()
}
