//! The last burst, torn in every way: whatever persists of it, what was synced before is whole and
//! undamaged, and what is there of the burst is a prefix.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;

use common::{A, B, MemoryLog, S0, append, hard_state, lsns, open, put, reopen_durable};
use repertoire_core::{GroupLogOp, LogOp, LogStore};
use repertoire_segment_log::{MemoryDisk, PowerLoss, SegmentLog, Unsynced};
use repertoire_storage_faulty::{Fault, FaultyDisk, Survivors};

const SEGMENT: u32 = 64 * 1024;

/// A log with some synced bursts.
fn synced<D: repertoire_segment_log::Disk>(disk: D) -> SegmentLog<D> {
    let mut log = open(disk, SEGMENT);
    put(&mut log, &[append(A, 1, 20), hard_state(A, b"vote")]);
    put(&mut log, &[append(B, 1, 30), append(A, 2, 10)]);
    log
}

/// Checks a recovered log: A holds 1, 2 and a prefix of what followed; answers how much.
fn check_prefix(log: &mut MemoryLog, case: &str) -> usize {
    for group in log.recovered().values() {
        assert!(!group.damaged, "{case}");
    }
    assert!(log.damage().is_empty(), "{case}");
    assert_eq!(log.recovered()[&A].hard_state.as_ref(), b"vote", "{case}");
    assert_eq!(lsns(log, B, 1), [1], "{case}");
    let found = lsns(log, A, 1);
    let expected: Vec<u64> = (1..=found.len() as u64).collect();
    assert!(found.len() >= 2 && found == expected, "{case}: {found:?}");
    found.len() - 2
}

/// Goes on writing after a recovery: other entries, so that stale ones would show, and recovers
/// once more.
fn check_continues(log: MemoryLog, case: &str) {
    let mut log = log;
    let next = lsns(&mut log, A, 1).len() as u64 + 1;
    let fresh = |lsn, len| {
        let entry = common::entry(9, lsn, 1, len, 77);
        common::op(A, LogOp::Append { stream: S0, entry })
    };
    put(&mut log, &[fresh(next, 100)]);
    let mut again = reopen_durable(&log, SEGMENT);
    assert_eq!(lsns(&mut again, A, 1).len() as u64, next, "{case}");
    assert!(!again.recovered()[&A].damaged, "{case}");
}

#[test]
fn a_burst_torn_at_any_byte_is_cut() {
    let burst: Vec<GroupLogOp> = (3..6).map(|lsn| append(A, lsn, 40)).collect();
    let mut whole = synced(MemoryDisk::new());
    let before = whole.end().offset;
    whole.write(&burst).unwrap();
    let len = (whole.end().offset - before) as usize;
    let mut most = 0;
    for keep in 0..=len {
        let mut log = synced(FaultyDisk::new(MemoryDisk::new()));
        log.disk_mut().inject(Fault::TearWrite { nth: 1, keep });
        log.write(&burst).unwrap_err();
        let case = format!("{keep} of {len} bytes");
        let mut log = open(log.into_disk().into_inner(), SEGMENT);
        let kept = check_prefix(&mut log, &case);
        assert!(kept >= most, "{case}");
        most = kept;
        check_continues(log, &case);
    }
    assert_eq!(most, 3);
}

#[test]
fn any_subset_of_the_last_bursts_pages_leaves_a_prefix() {
    // Entries that end in the middle of pages, over ten pages in all.
    let burst: Vec<GroupLogOp> = (3..11).map(|lsn| append(A, lsn, 4300)).collect();
    let mut log = synced(MemoryDisk::new());
    log.write(&burst).unwrap();
    let pages = log.disk().unsynced().len();
    assert!((9..=10).contains(&pages), "{pages}");
    let image = log.into_disk();
    let mut seen = BTreeSet::new();
    for subset in 0..1_u32 << pages {
        let chosen: BTreeSet<usize> = (0..pages).filter(|page| subset & 1 << page != 0).collect();
        let mut disk = image.clone();
        disk.lose_power(&mut *Survivors::Pages(chosen).into_rule());
        let mut log = open(disk, SEGMENT);
        let case = format!("pages {subset:b}");
        seen.insert(check_prefix(&mut log, &case));
        if subset % 7 == 0 {
            check_continues(log, &case);
        }
    }
    assert_eq!(seen, BTreeSet::from([0, 1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn later_bursts_behind_a_torn_one_are_cut_with_it() {
    let mut log = synced(MemoryDisk::new());
    for lsn in 3..9 {
        log.write(&[append(A, lsn, 5000)]).unwrap();
    }
    let mut disk = log.into_disk();
    // The first unsynced page is lost, all others persist.
    let mut pages = 0;
    disk.lose_power(&mut |unsynced| match unsynced {
        Unsynced::Name(_) => u8::MAX,
        Unsynced::Page { .. } => {
            pages += 1;
            if pages == 1 { 0 } else { u8::MAX }
        }
    });
    let mut log = open(disk, SEGMENT);
    assert_eq!(check_prefix(&mut log, "first page lost"), 0);
    assert!(log.counters().bytes_cut > 20_000);
    // The same bytes again, up to where the cut records lay: they must stay cut.
    put(&mut log, &[append(A, 3, 5000)]);
    let mut log = reopen_durable(&log, SEGMENT);
    assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
}

#[test]
fn recovering_twice_is_recovering_once() {
    let mut log = synced(MemoryDisk::new());
    log.write(&[append(A, 3, 9000), append(A, 4, 9000)])
        .unwrap();
    for seed in 0..200 {
        let mut disk = log.disk().clone();
        disk.lose_power(&mut *Survivors::RandomSectors { seed }.into_rule());
        let first = open(disk, SEGMENT);
        let second = reopen_durable(&first, SEGMENT);
        assert_eq!(first.recovered(), second.recovered(), "seed {seed}");
        let third = reopen_durable(&second, SEGMENT);
        assert_eq!(third.end(), second.end(), "seed {seed}");
    }
}

#[test]
fn what_a_killed_process_wrote_is_durable_once_recovered() {
    let mut log = synced(MemoryDisk::new());
    log.write(&[append(A, 3, 9000)]).unwrap();
    // The process is killed: the cache survives. Then, right after recovery, the power fails.
    let mut log = open(log.into_disk(), SEGMENT);
    assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
    let mut log = reopen_durable(&log, SEGMENT);
    assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
}
