//! Slow and idle streams pin their own bytes, not the segments of others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{
    A, B, S0, append, checkpoint, hard_state, id, lsns, open, put, reopen, reopen_durable,
};
use repertoire_core::{GroupId, LogSlice, LogStore, Lsn};
use repertoire_segment_log::MemoryDisk;

const SEGMENT: u32 = 16 * 1024;

#[test]
fn an_idle_stream_pins_only_its_own_bytes() {
    for prepared in [false, true] {
        let mut log = open(MemoryDisk::new(), SEGMENT);
        put(
            &mut log,
            &[
                append(B, 1, 3000),
                append(B, 2, 3000),
                hard_state(B, b"idle"),
            ],
        );
        let mut most = 0;
        for lsn in 1..1000 {
            put(&mut log, &[append(A, lsn, 1000), checkpoint(A, id(1, lsn))]);
            while prepared && log.prepare_step(3000).unwrap() {}
            most = most.max(log.bytes_on_disk());
        }
        let counters = log.counters();
        assert!(most <= 9 * u64::from(SEGMENT), "{prepared}: {most}");
        assert!(counters.segments_freed > 50, "{prepared}: {counters:?}");
        assert!(
            counters.bytes_copied < counters.bytes_written / 3,
            "{counters:?}"
        );
        for mut log in [reopen_durable(&log, SEGMENT), log] {
            assert_eq!(lsns(&mut log, B, 1), [1, 2]);
        }
    }
}

#[test]
fn what_an_idle_group_knows_outlives_every_recycled_segment() {
    let idle = GroupId::new(9, 9);
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(
        &mut log,
        &[
            hard_state(idle, b"vote"),
            append(idle, 1, 10),
            append(idle, 2, 10),
        ],
    );
    put(&mut log, &[checkpoint(idle, id(1, 2))]);
    for round in 0..6 {
        for lsn in 1..100 {
            put(&mut log, &[append(A, round * 99 + lsn, 1000)]);
            put(&mut log, &[checkpoint(A, id(1, round * 99 + lsn))]);
        }
        log = reopen(log, SEGMENT);
        let group = &log.recovered()[&idle];
        assert_eq!(group.hard_state.as_ref(), b"vote");
        assert_eq!(group.streams[&S0].checkpoint, id(1, 2));
        assert_eq!(group.streams[&S0].last, id(1, 2));
        assert!(!group.damaged);
    }
    assert_eq!(log.recovered()[&idle].streams[&S0].base, id(1, 2));
    put(&mut log, &[append(idle, 3, 10)]);
    assert_eq!(lsns(&mut log, idle, 3), [3]);
}

#[test]
fn retention_keeps_a_bounded_tail_for_slow_followers() {
    let segment = u64::from(SEGMENT);
    let retention = 8 * segment;
    let mut log = open(MemoryDisk::new(), SEGMENT);
    log.set_retention(A, retention);
    for lsn in 1..1000 {
        put(&mut log, &[append(A, lsn, 900), append(B, lsn, 90)]);
        put(
            &mut log,
            &[checkpoint(A, id(1, lsn)), checkpoint(B, id(1, lsn))],
        );
        while log.prepare_step(8192).unwrap() {}
        let counters = log.counters();
        let most = retention + 2 * segment;
        assert!(log.bytes_on_disk() <= most, "at {lsn}: {counters:?}");
    }
    // A record takes 1000 bytes. Segments this small hold five or six beside B's and what is copied;
    // with its share of their headers and ends each is counted with less than 2200.
    let kept = (retention - 2 * segment) / 2200;
    assert_eq!(lsns(&mut log, A, 1000 - kept).len() as u64, kept);
    let old = log.read(A, S0, Lsn(1000 - retention / 1000), 1).unwrap();
    assert!(matches!(old, LogSlice::Trimmed { .. }));
    let gone = log.read(B, S0, Lsn(999), 1).unwrap();
    assert_eq!(gone, LogSlice::Trimmed { base: id(1, 999) });
}

/// Recovery needs what no checkpoint covers, followers the end of the same log: the larger counts.
#[test]
fn what_recovery_needs_and_what_followers_need_do_not_add_up() {
    let segment = u64::from(SEGMENT);
    let retention = 8 * segment;
    let mut log = open(MemoryDisk::new(), SEGMENT);
    log.set_retention(A, retention);
    let every = retention / 2 / 1000;
    for lsn in 1..1000 {
        put(&mut log, &[append(A, lsn, 900)]);
        if lsn % every == 0 {
            put(&mut log, &[checkpoint(A, id(1, lsn))]);
        }
        while log.prepare_step(8192).unwrap() {}
        let counters = log.counters();
        let most = retention + 2 * segment;
        assert!(log.bytes_on_disk() <= most, "at {lsn}: {counters:?}");
    }
}

#[test]
fn damage_outlives_the_segment_it_was_found_in() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 100), append(B, 1, 100)]);
    put(&mut log, &[hard_state(B, b"vote")]);
    log.seal().unwrap();
    let mut disk = log.into_disk();
    disk.flip_bit("segment-00000000.log", 4096 + 96 + 100, 1);
    let mut log = open(disk, SEGMENT);
    assert!(log.recovered()[&A].damaged && !log.recovered()[&B].damaged);
    for lsn in 2..200 {
        put(&mut log, &[append(B, lsn, 1000), checkpoint(B, id(1, lsn))]);
    }
    assert!(log.counters().segments_freed > 3);
    let log = reopen(log, SEGMENT);
    assert!(log.recovered()[&A].damaged && !log.recovered()[&B].damaged);
    assert!(log.damage().is_empty());
}
