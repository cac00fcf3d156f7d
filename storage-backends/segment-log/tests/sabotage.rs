//! The planted bugs do what their names say.
#![cfg(feature = "sabotage")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{A, append, lsns, open, put};
use repertoire_core::LogStore;
use repertoire_core::sabotage::{Bug, plant};
use repertoire_segment_log::{MemoryDisk, PowerLoss, Unsynced};

const SEGMENT: u32 = 64 * 1024;

#[test]
fn a_skipped_sync_loses_what_was_promised() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    plant(&[Bug::SyncSkipped]);
    put(&mut log, &[append(A, 1, 10)]);
    plant(&[]);
    let mut log = open(log.disk().durable(), SEGMENT);
    assert!(lsns(&mut log, A, 1).is_empty());
}

#[test]
fn records_beyond_a_tear_come_back() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[append(A, 1, 10)]);
    log.write(&[append(A, 2, 9000), append(A, 3, 9000)])
        .unwrap();
    let mut disk = log.into_disk();
    // The second entry's page is lost, the third entry persists.
    disk.lose_power(&mut |unsynced| match unsynced {
        Unsynced::Page { page: 2, .. } => 0,
        Unsynced::Page { .. } | Unsynced::Name(_) => u8::MAX,
    });
    plant(&[Bug::RecoverPastTear]);
    let log = open(disk, SEGMENT);
    plant(&[]);
    assert_eq!(log.recovered()[&A].streams[&common::S0].last.lsn.0, 3);
}
