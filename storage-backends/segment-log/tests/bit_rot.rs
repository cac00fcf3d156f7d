//! A flipped bit in each byte of each kind of record. Below the synced point it is damage: flagged,
//! never cut, and everything else is still there. Above, it is a torn tail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use common::{
    A, B, MemoryLog, S0, append, checkpoint, hard_state, id, lsns, op, open, put, reopen, reset,
    truncate,
};
use repertoire_core::{ErrorKind, GroupLogOp, LogOp, LogStore, Lsn};
use repertoire_segment_log::{MemoryDisk, RECORD_HEAD_BYTES};

const SEGMENT: u32 = 64 * 1024;
const FIRST: &str = "segment-00000000.log";

/// Writes `victim` between other records; answers where its burst starts and its record does.
fn log_around(victim: &GroupLogOp, sealed: bool) -> (MemoryLog, u64, u64) {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[
            append(A, 1, 64),
            append(A, 2, 64),
            append(B, 1, 64),
            hard_state(B, b"b"),
        ],
    );
    let burst = u64::from(log.end().offset);
    put(&mut log, std::slice::from_ref(victim));
    if sealed {
        put(&mut log, &[append(B, 2, 64)]);
        log.seal().unwrap();
    }
    (log, burst, burst + 96)
}

fn flipped(log: &MemoryLog, offset: u64, bit: u8) -> MemoryLog {
    let mut disk = log.disk().durable();
    assert!(disk.flip_bit(FIRST, offset, bit));
    open(disk, SEGMENT)
}

fn victims() -> [GroupLogOp; 5] {
    [
        append(A, 3, 64),
        truncate(A, 1),
        hard_state(A, b"vote"),
        checkpoint(A, id(1, 1)),
        reset(A, id(7, 30)),
    ]
}

#[test]
fn damage_below_the_synced_point_is_flagged_and_never_cut() {
    for victim in victims() {
        let (log, burst, record) = log_around(&victim, true);
        let end = log.end();
        let payload_end = record + u64::from(record_len(&log, record));
        for offset in burst..payload_end {
            let mut damaged = flipped(&log, offset, (offset % 8) as u8);
            let case = format!("{victim:?} at {offset}, record at {record}");
            assert!(damaged.recovered()[&A].damaged, "{case}");
            assert_eq!(damaged.counters().bytes_cut, 0, "{case}");
            assert!(damaged.end() >= end, "{case}");
            assert_eq!(lsns(&mut damaged, B, 1), [1, 2], "{case}");
            assert_eq!(damaged.recovered()[&B].hard_state.as_ref(), b"b", "{case}");
            // Whose record it is, its head tells; without it everyone may be concerned.
            let known = offset >= record + u64::from(RECORD_HEAD_BYTES);
            assert_eq!(damaged.recovered()[&B].damaged, !known, "{case}");
            assert_eq!(damaged.damage().len(), 1, "{case}");
            // The mark is kept: the flag does not depend on the damaged bytes any more.
            let again = reopen(damaged, SEGMENT);
            assert!(again.recovered()[&A].damaged, "{case}");
        }
    }
}

fn record_len(log: &MemoryLog, record: u64) -> u32 {
    let mut disk = log.disk().clone();
    let mut len = [0; 4];
    let file = repertoire_segment_log::Disk::open(&mut disk, FIRST).unwrap();
    repertoire_segment_log::Disk::read_at(&mut disk, file, record + 16, &mut len).unwrap();
    RECORD_HEAD_BYTES + u32::from_le_bytes(len)
}

#[test]
fn damage_above_the_synced_point_is_cut() {
    for victim in victims() {
        let (log, burst, record) = log_around(&victim, false);
        let before = open(MemoryDisk::new(), SEGMENT);
        drop(before);
        let payload_end = record + u64::from(record_len(&log, record));
        for offset in burst..payload_end {
            let mut cut = flipped(&log, offset, (offset % 8) as u8);
            let case = format!("{victim:?} at {offset}, record at {record}");
            assert!(
                !cut.recovered()[&A].damaged && !cut.recovered()[&B].damaged,
                "{case}"
            );
            assert_eq!(lsns(&mut cut, A, 1), [1, 2], "{case}");
            assert_eq!(cut.recovered()[&A].hard_state.len(), 0, "{case}");
            assert_eq!(
                cut.recovered()[&A].streams[&S0].checkpoint,
                id(0, 0),
                "{case}"
            );
        }
    }
}

#[test]
fn the_good_records_around_a_damaged_entry_are_readable() {
    let (log, _, record) = log_around(&append(A, 3, 64), true);
    let mut disk = log.into_disk();
    let mut log = open(disk.clone(), SEGMENT);
    put(&mut log, &[append(A, 4, 64), append(A, 5, 64)]);
    log.seal().unwrap();
    disk = log.into_disk();
    disk.flip_bit(FIRST, record + 100, 3);
    let mut log = open(disk, SEGMENT);
    assert_eq!(lsns(&mut log, A, 1), [1, 2]);
    let error = log.read(A, S0, Lsn(3), 1).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Corrupted);
    assert_eq!(lsns(&mut log, A, 4), [4, 5]);
    assert_eq!(log.recovered()[&A].streams[&S0].last, id(1, 5));
    assert_eq!(log.damage()[0].group, Some(A));
}

#[test]
fn a_repaired_group_is_sound_after_the_next_start() {
    let (log, _, record) = log_around(&hard_state(A, b"vote"), true);
    let mut log = flipped(&log, record + 65, 0);
    assert!(log.recovered()[&A].damaged);
    let repaired = op(A, LogOp::Repaired);
    put(
        &mut log,
        &[reset(A, id(2, 10)), hard_state(A, b"new"), repaired],
    );
    let log = reopen(log, SEGMENT);
    assert!(!log.recovered()[&A].damaged);
    assert_eq!(log.recovered()[&A].hard_state.as_ref(), b"new");
}

#[test]
fn a_damaged_copy_of_a_segment_header_harms_nobody() {
    let (log, ..) = log_around(&append(A, 3, 64), true);
    for offset in (0..64).chain(2048..2048 + 64) {
        let mut log = flipped(&log, offset, 5);
        assert!(!log.recovered()[&A].damaged);
        assert_eq!(lsns(&mut log, A, 1), [1, 2, 3]);
    }
}

/// Each opening mends the copy that has rotted, so that the next one does not meet the last.
#[test]
fn a_header_survives_one_copy_after_the_other() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 64), append(A, 2, 64)]);
    for copy in [0, 2048, 0, 2048] {
        log = flipped(&log, copy + 20, 1);
        assert!(!log.recovered()[&A].damaged);
        assert_eq!(lsns(&mut log, A, 1), [1, 2]);
    }
}

#[test]
fn a_lost_segment_damages_everyone() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    for lsn in 1..200 {
        put(&mut log, &[append(A, lsn, 1000)]);
    }
    put(&mut log, &[append(B, 1, 10)]);
    let segments = log.counters().segments_live;
    assert!(segments >= 3);
    for name in [FIRST, "segment-00000001.log"] {
        let mut disk = log.disk().durable();
        for copy in [0, 2048] {
            disk.flip_bit(name, copy + 20, 1);
        }
        let mut log = open(disk, SEGMENT);
        assert!(log.recovered()[&A].damaged && log.recovered()[&B].damaged);
        assert_eq!(log.recovered()[&A].streams[&S0].last, id(1, 199));
        assert_eq!(lsns(&mut log, A, 199), [199]);
        assert!(log.read(A, S0, Lsn(1), usize::MAX).is_err() || lsns(&mut log, A, 1).len() < 199);
        let log = reopen(log, SEGMENT);
        assert!(log.recovered()[&A].damaged);
        assert_eq!(log.recovered()[&A].streams[&S0].last, id(1, 199));
    }
}

/// Found by the simulator: the older mark was struck off twice.
#[test]
fn damage_found_while_copying_is_marked_beside_an_older_mark() {
    let (log, _, record) = log_around(&hard_state(A, b"vote"), true);
    let mut log = flipped(&log, record + 65, 0);
    assert!(log.recovered()[&A].damaged);
    let (burst, payload) = (u64::from(log.end().offset), 96 + RECORD_HEAD_BYTES);
    put(&mut log, &[append(A, 3, 64)]);
    assert!(
        log.disk_mut()
            .flip_bit(FIRST, burst + u64::from(payload) + 10, 0)
    );
    // The first segment is emptied, and so its records are read again and copied.
    for lsn in 3..200 {
        put(&mut log, &[append(B, lsn, 2000), checkpoint(B, id(1, lsn))]);
    }
    assert!(reopen(log, SEGMENT).recovered()[&A].damaged);
}
