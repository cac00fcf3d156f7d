//! What each operation means, without any fault.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{
    A, B, S0, append, checkpoint, hard_state, id, lsns, op, open, put, reopen, reset, truncate,
};
use repertoire_core::{ErrorKind, LogOp, LogSlice, LogStore, Lsn};
use repertoire_segment_log::{MemoryDisk, SegmentLog};

const SEGMENT: u32 = 64 * 1024;

#[test]
fn a_new_log_is_empty() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    assert!(log.recovered().is_empty());
    let read = log.read(A, S0, Lsn(1), 100).unwrap();
    assert_eq!(read, LogSlice::Entries(Vec::new()));
    assert_eq!(log.bytes_on_disk(), u64::from(SEGMENT));
}

#[test]
fn entries_read_back_before_and_after_a_restart() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[append(A, 1, 10), append(B, 1, 3000), append(A, 2, 0)],
    );
    put(&mut log, &[append(A, 3, 9)]);
    for _ in 0..3 {
        assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
        assert_eq!(lsns(&mut log, A, 3), [3]);
        assert_eq!(lsns(&mut log, B, 1), [1]);
        log = reopen(log, SEGMENT);
        assert_eq!(log.recovered()[&A].streams[&S0].last, id(1, 3));
        assert!(!log.recovered()[&A].damaged);
    }
}

#[test]
fn a_read_starts_at_the_entry_that_holds_the_lsn_and_respects_the_limit() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    let batch = |first, count| {
        let entry = common::entry(4, first, count, 100, 0);
        op(A, LogOp::Append { stream: S0, entry })
    };
    put(&mut log, &[batch(1, 10), batch(11, 10), batch(21, 1)]);
    assert_eq!(lsns(&mut log, A, 15), [11, 21]);
    let one = log.read(A, S0, Lsn(10), 0).unwrap();
    assert!(matches!(one, LogSlice::Entries(entries) if entries.len() == 1));
    assert!(lsns(&mut log, A, 22).is_empty());
}

#[test]
fn a_truncation_drops_what_follows_and_the_log_goes_on_from_there() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[append(A, 1, 5), append(A, 2, 5), append(A, 3, 5)],
    );
    put(&mut log, &[truncate(A, 1), append(A, 2, 7)]);
    for _ in 0..2 {
        assert_eq!(lsns(&mut log, A, 1), [1, 2]);
        log = reopen(log, SEGMENT);
    }
    put(&mut log, &[truncate(A, 0)]);
    log = reopen(log, SEGMENT);
    assert_eq!(log.recovered()[&A].streams[&S0].last, id(0, 0));
}

#[test]
fn the_last_hard_state_counts() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[
            hard_state(A, b"one"),
            hard_state(A, b"two"),
            hard_state(B, b""),
        ],
    );
    log = reopen(log, SEGMENT);
    assert_eq!(log.recovered()[&A].hard_state.as_ref(), b"two");
    assert_eq!(log.recovered()[&B].hard_state.as_ref(), b"");
}

#[test]
fn a_checkpoint_trims_but_for_the_retention() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    let entries: Vec<_> = (1..=10).map(|lsn| append(A, lsn, 400)).collect();
    put(&mut log, &entries);
    log.set_retention(A, 6000);
    put(&mut log, &[checkpoint(A, id(1, 8))]);
    // Of a retention smaller than a segment half is kept: five entries of 504 bytes and a burst each.
    assert_eq!(lsns(&mut log, A, 6), [6, 7, 8, 9, 10]);
    let trimmed = log.read(A, S0, Lsn(5), 1).unwrap();
    assert_eq!(trimmed, LogSlice::Trimmed { base: id(1, 5) });
    log.set_retention(A, 0);
    assert_eq!(lsns(&mut log, A, 9), [9, 10]);
    log = reopen(log, SEGMENT);
    assert_eq!(log.recovered()[&A].streams[&S0].checkpoint, id(1, 8));
    assert_eq!(log.recovered()[&A].streams[&S0].last, id(1, 10));
}

#[test]
fn a_reset_forgets_the_stream() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[append(A, 1, 5), append(A, 2, 5), append(B, 1, 5)],
    );
    put(&mut log, &[reset(A, id(3, 100))]);
    put(&mut log, &[append(A, 101, 5)]);
    for _ in 0..2 {
        let trimmed = log.read(A, S0, Lsn(100), 1).unwrap();
        assert_eq!(trimmed, LogSlice::Trimmed { base: id(3, 100) });
        assert_eq!(lsns(&mut log, A, 101), [101]);
        assert_eq!(lsns(&mut log, B, 1), [1]);
        log = reopen(log, SEGMENT);
    }
    let stream = &log.recovered()[&A].streams[&S0];
    assert_eq!((stream.base, stream.checkpoint), (id(3, 100), id(3, 100)));
}

#[test]
fn contradictions_are_refused_and_change_nothing() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 5), append(A, 2, 5)]);
    let end = log.end();
    for burst in [
        vec![append(B, 1, 5), append(A, 4, 5)],
        vec![append(A, 2, 5)],
        vec![reset(A, id(1, 9)), append(A, 9, 1)],
        vec![reset(A, id(1, 9)), truncate(A, 3)],
    ] {
        let error = log.write(&burst).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{error}");
    }
    let huge = append(A, 3, SEGMENT as usize);
    let error = log.write(&[huge]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
    assert_eq!(log.end(), end);
    put(&mut log, &[append(A, 3, 5)]);
    assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
}

#[test]
fn a_burst_may_span_segments() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    let burst: Vec<_> = (1..=200).map(|lsn| append(A, lsn, 1000)).collect();
    put(&mut log, &burst);
    assert!(log.counters().segments_live >= 4);
    assert_eq!(lsns(&mut log, A, 1).len(), 200);
    log = reopen(log, SEGMENT);
    assert_eq!(lsns(&mut log, A, 1).len(), 200);
}

#[test]
fn a_folder_of_another_identity_is_refused() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 5)]);
    let other = repertoire_segment_log::Options::small(1, SEGMENT);
    let failure = SegmentLog::open_or_return(log.into_disk(), other).unwrap_err();
    assert_eq!(*failure.error.kind(), ErrorKind::ConfigInvalid);
    assert!(
        failure.error.to_string().contains("feedbeef"),
        "{}",
        failure.error
    );
    assert_eq!(lsns(&mut open(failure.disk, SEGMENT), A, 1), [1]);
}

#[test]
fn reopening_an_unchanged_log_does_not_grow_it() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 5)]);
    log = reopen(log, SEGMENT);
    let end = log.end();
    log = reopen(log, SEGMENT);
    assert_eq!(log.end(), end);
    log.seal().unwrap();
    assert_eq!(log.end(), end);
}
