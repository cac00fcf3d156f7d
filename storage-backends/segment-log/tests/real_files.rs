//! The same log on real files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{A, B, append, checkpoint, hard_state, id, lsns, open, options, put};
use repertoire_core::{ErrorKind, LogStore};
use repertoire_segment_log::{Disk, DiskErrorKind, OsDisk, SegmentLog};

const SEGMENT: u32 = 64 * 1024;

#[test]
fn a_log_on_real_files_recycles_and_survives_restarts() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("log");
    let mut last = 0;
    for round in 0..3 {
        let mut log = open(OsDisk::open(&folder).unwrap(), SEGMENT);
        if round == 0 {
            put(&mut log, &[append(B, 1, 100), hard_state(B, b"vote")]);
        } else {
            assert_eq!(lsns(&mut log, A, last), [last]);
        }
        for _ in 0..100 {
            last += 1;
            put(&mut log, &[append(A, last, 5000)]);
            log.write(&[checkpoint(A, id(1, last - 1))]).unwrap();
            log.prepare_step(16 * 1024).unwrap();
        }
        assert!(log.counters().segments_freed > 3, "{:?}", log.counters());
        assert_eq!(lsns(&mut log, B, 1), [1]);
        assert_eq!(log.recovered().contains_key(&B), round > 0);
        let files = std::fs::read_dir(&folder).unwrap();
        let bytes = files.map(|file| file.unwrap().metadata().unwrap().len());
        assert_eq!(bytes.sum::<u64>(), log.bytes_on_disk());
    }
}

#[test]
fn leftovers_are_swept_and_other_files_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut log = open(OsDisk::open(folder).unwrap(), SEGMENT);
    put(&mut log, &[append(A, 1, 100)]);
    drop(log);
    std::fs::write(folder.join("segment-00000007.new"), "half-made").unwrap();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    std::fs::create_dir(folder.join("segment-00000009.log")).unwrap();
    let mut log = open(OsDisk::open(folder).unwrap(), SEGMENT);
    assert_eq!(lsns(&mut log, A, 1), [1]);
    assert!(!folder.join("segment-00000007.new").exists());
    assert!(folder.join("notes.txt").exists());
}

#[test]
fn failures_of_the_system_are_told_apart() {
    let temporary = tempfile::tempdir().unwrap();
    let missing = temporary.path().join("no/such/folder");
    assert_eq!(
        OsDisk::open(missing).unwrap_err().kind,
        DiskErrorKind::NotFound
    );
    let mut disk = OsDisk::open(temporary.path()).unwrap();
    let file = disk.create("segment-00000000.log").unwrap();
    assert_eq!(
        disk.create("segment-00000000.log").unwrap_err().kind,
        DiskErrorKind::Exists
    );
    let beyond = disk.read_at(file, 0, &mut [0]).unwrap_err();
    assert_eq!(beyond.kind, DiskErrorKind::Failed);
    disk.remove("segment-00000000.log", file).unwrap();
    disk.write_at(file, 0, b"x").unwrap_err();
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(
        repertoire_segment_log::DiskError::from(full).kind,
        DiskErrorKind::Full
    );
    let mut log = SegmentLog::open(disk, options(SEGMENT)).unwrap();
    let error = log.write(&[append(A, 2, 1)]).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
}
