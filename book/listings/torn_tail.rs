//! The end of a log after a power cut, for every subset of what was not synced.

use std::collections::BTreeSet;

use bytes::Bytes;
use repertoire_core::{
    Entry, GroupId, GroupLogOp, LeaderEpoch, LogOp, LogSlice, LogStore as _, Lsn, StreamId,
};
use repertoire_segment_log::{MemoryDisk, Options, PowerLoss as _, SegmentLog};

const GROUP: GroupId = GroupId::new(1, 0);

// ANCHOR: helpers
/// An entry of one record, a little longer than a page of the disk.
fn append(lsn: u64) -> GroupLogOp {
    let entry = Entry {
        epoch: LeaderEpoch(1),
        first: Lsn(lsn),
        count: 1,
        body: Bytes::from(vec![lsn as u8; 5000]),
        ..Entry::default()
    };
    GroupLogOp {
        group: GROUP,
        sync: true,
        op: LogOp::Append {
            stream: StreamId(0),
            entry,
        },
    }
}

/// The entries that a recovered log holds.
fn recovered(disk: MemoryDisk) -> Vec<u64> {
    let mut log = SegmentLog::open(disk, Options::small(7, 64 * 1024)).unwrap();
    match log.read(GROUP, StreamId(0), Lsn(1), usize::MAX).unwrap() {
        LogSlice::Entries(entries) => entries.iter().map(|entry| entry.first.0).collect(),
        LogSlice::Trimmed { base } => panic!("trimmed up to {base}"),
    }
}
// ANCHOR_END: helpers

// ANCHOR: test
#[test]
fn of_an_unsynced_burst_a_prefix_is_left() {
    let mut log = SegmentLog::open(MemoryDisk::new(), Options::small(7, 64 * 1024)).unwrap();
    log.write(&[append(1), append(2)]).unwrap();
    log.sync().unwrap();
    // Written, and the machine stops before the sync.
    log.write(&[append(3), append(4), append(5)]).unwrap();

    let pages = log.disk().unsynced().len();
    let mut seen = BTreeSet::new();
    for subset in 0..1_u32 << pages {
        let mut disk = log.disk().clone();
        let mut page = 0;
        disk.lose_power(&mut |_| {
            page += 1;
            // All sectors of the page hold the new bytes, or none does.
            if subset >> (page - 1) & 1 == 1 {
                0xff
            } else {
                0
            }
        });
        let found = recovered(disk);
        assert!([1, 2, 3, 4, 5].starts_with(&found), "{subset:b}: {found:?}");
        assert!(found.len() >= 2, "{subset:b}: what was synced is gone");
        seen.insert(found.len());
    }
    // Every outcome happens, from "nothing of the burst" to "all of it".
    assert_eq!(seen, BTreeSet::from([2, 3, 4, 5]));
}
// ANCHOR_END: test
