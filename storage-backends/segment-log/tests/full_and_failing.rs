//! Full and failing disks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{A, IDENTITY, append, checkpoint, hard_state, id, lsns, open, options, put};
use repertoire_core::{ErrorKind, GroupLogOp, LogStore, Lsn};
use repertoire_segment_log::{DiskErrorKind, MemoryDisk, Options, SegmentLog};
use repertoire_storage_faulty::{Fault, FaultyDisk};

const SEGMENT: u32 = 16 * 1024;

/// Appends one entry after the other until the log is full; answers the first that did not fit.
fn fill<D: repertoire_segment_log::Disk>(log: &mut SegmentLog<D>, from: u64) -> u64 {
    (from..100_000)
        .find(|lsn| match log.write(&[append(A, *lsn, 2000)]) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::StorageFull, "{error}");
                true
            }
        })
        .unwrap()
}

#[test]
fn a_full_disk_refuses_whole_bursts_and_recovers_without_a_restart() {
    let mut disk = MemoryDisk::new();
    disk.set_capacity(Some(u64::from(SEGMENT) * 4));
    let mut log = open(disk, SEGMENT);
    let full = fill(&mut log, 1);
    let end = log.end();
    let burst: Vec<GroupLogOp> = (full..full + 12).map(|lsn| append(A, lsn, 2000)).collect();
    let error = log.write(&burst).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::StorageFull);
    assert_eq!(log.end(), end);
    assert_eq!(lsns(&mut log, A, 1).len() as u64, full - 1);
    log.sync().unwrap();
    // Nothing of the refused burst is on the disk.
    let mut crashed = open(log.disk().durable(), SEGMENT);
    assert_eq!(lsns(&mut crashed, A, 1).len() as u64, full - 1);
    // There is space again: the same burst goes through.
    log.disk_mut().set_capacity(None);
    put(&mut log, &burst);
    assert_eq!(lsns(&mut log, A, full).len(), 12);
}

#[test]
fn a_full_log_takes_what_frees_space() {
    let mut options = options(SEGMENT);
    options.capacity_bytes = u64::from(SEGMENT) * 5;
    let mut log = SegmentLog::open(MemoryDisk::new(), options).unwrap();
    let mut next = 1;
    for _ in 0..20 {
        next = fill(&mut log, next);
        log.sync().unwrap();
        put(
            &mut log,
            &[hard_state(A, b"vote"), checkpoint(A, id(1, next - 2))],
        );
        assert!(log.bytes_on_disk() <= u64::from(SEGMENT) * 5);
    }
    assert!(next > 100, "{next}");
}

#[test]
fn preparation_without_space_does_nothing() {
    let mut disk = MemoryDisk::new();
    disk.set_capacity(Some(u64::from(SEGMENT) + 100));
    let mut log = open(disk, SEGMENT);
    assert!(log.needs_preparation());
    while log.prepare_step(1000).unwrap() {}
    assert!(!log.needs_preparation());
    assert_eq!(log.bytes_on_disk(), u64::from(SEGMENT));
    put(&mut log, &[append(A, 1, 10)]);
}

#[test]
fn preparation_keeps_writes_from_waiting() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    for lsn in 1..500 {
        put(&mut log, &[append(A, lsn, 1000), checkpoint(A, id(1, lsn))]);
        while log.prepare_step(4096).unwrap() {}
    }
    let counters = log.counters();
    // Only opening had to wait for a segment.
    assert_eq!(counters.segments_late, 1, "{counters:?}");
    assert!(
        log.bytes_on_disk() <= 5 * u64::from(SEGMENT),
        "{}",
        log.bytes_on_disk()
    );
}

#[test]
fn a_failed_sync_is_final() {
    let mut log = open(FaultyDisk::new(MemoryDisk::new()), SEGMENT);
    put(&mut log, &[append(A, 1, 10)]);
    let kind = DiskErrorKind::Failed;
    log.disk_mut().inject(Fault::FailSync { nth: 1, kind });
    log.write(&[append(A, 2, 10)]).unwrap();
    for _ in 0..2 {
        let failed = |error: &repertoire_core::Error| *error.kind() == ErrorKind::StorageFailed;
        assert!(failed(&log.sync().unwrap_err()));
        assert!(failed(&log.write(&[append(A, 3, 10)]).unwrap_err()));
        assert!(failed(&log.read(A, common::S0, Lsn(1), 1).unwrap_err()));
        assert!(failed(&log.prepare_step(1).unwrap_err()));
        assert!(failed(&log.seal().unwrap_err()));
    }
    assert!(!log.needs_preparation());
}

#[test]
fn a_failed_write_is_final_whatever_the_disk_calls_it() {
    for kind in [DiskErrorKind::Failed, DiskErrorKind::Full] {
        let mut log = open(FaultyDisk::new(MemoryDisk::new()), SEGMENT);
        log.disk_mut().inject(Fault::FailWrite { nth: 1, kind });
        let error = log.write(&[append(A, 1, 10)]).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::StorageFailed);
        assert_eq!(*log.sync().unwrap_err().kind(), ErrorKind::StorageFailed);
    }
}

#[test]
fn every_failing_allocation_leaves_a_usable_log() {
    for nth in 1..12 {
        let mut log = open(FaultyDisk::new(MemoryDisk::new()), SEGMENT);
        let kind = DiskErrorKind::Full;
        log.disk_mut().inject(Fault::FailAllocate { nth, kind });
        for lsn in 1..60 {
            let burst = [append(A, lsn, 2000)];
            if let Err(error) = log.write(&burst) {
                assert_eq!(*error.kind(), ErrorKind::StorageFull);
                log.write(&burst).unwrap();
            }
        }
        log.sync().unwrap();
        let mut log = open(log.disk().inner().durable(), SEGMENT);
        assert_eq!(lsns(&mut log, A, 1).len(), 59, "allocation {nth}");
    }
}

#[test]
fn bad_options_are_refused_with_the_setting_named() {
    let small = Options::small(IDENTITY, SEGMENT);
    let wrong = [
        Options {
            segment_bytes: SEGMENT + 1,
            ..small.clone()
        },
        Options {
            segment_bytes: 8192,
            ..Options::new(IDENTITY)
        },
        Options {
            capacity_bytes: 1,
            ..small
        },
    ];
    for (options, setting) in wrong
        .into_iter()
        .zip(["segment_bytes", "segment_bytes", "capacity"])
    {
        let error = SegmentLog::open(MemoryDisk::new(), options).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::ConfigInvalid);
        assert!(error.to_string().contains(setting), "{error}");
    }
}
