//! The bytes on disk do not change by accident.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{A, S0, hard_state, id, op, open, options, put};
use repertoire_core::{Entry, ErrorKind, LeaderEpoch, LogOp, Lsn};
use repertoire_segment_log::{Disk, FORMAT_VERSION, MemoryDisk, SegmentLog};

const SEGMENT: u32 = 16 * 1024;
const FIRST: &str = "segment-00000000.log";

fn bytes(log: &SegmentLog<MemoryDisk>, offset: u64, len: usize) -> Vec<u8> {
    let mut disk = log.disk().clone();
    let file = disk.open(FIRST).unwrap();
    let mut bytes = vec![0; len];
    disk.read_at(file, offset, &mut bytes).unwrap();
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| {
        let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join("")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_bytes_are_golden() {
    let mut log = open(MemoryDisk::new(), SEGMENT);
    put(&mut log, &[hard_state(A, b"vote")]);
    let entry = Entry {
        epoch: LeaderEpoch(3),
        first: Lsn(1),
        count: 2,
        body: "body".into(),
        ..Entry::default()
    };
    let checkpoint = LogOp::Checkpoint {
        stream: S0,
        upto: id(3, 2),
    };
    put(
        &mut log,
        &[
            op(A, LogOp::Append { stream: S0, entry }),
            op(A, checkpoint),
        ],
    );
    let header = bytes(&log, 0, 64);
    assert_eq!(bytes(&log, 2048, 64), header);
    let golden = include_str!("golden/segment.txt");
    let records = bytes(&log, 4096, log.end().offset as usize - 4096);
    let found = format!("{}\n\n{}\n", hex(&header), hex(&records));
    assert_eq!(found, golden, "\n{found}");
}

#[test]
fn another_format_version_is_refused() {
    let log = open(MemoryDisk::new(), SEGMENT);
    let mut header = bytes(&log, 0, 60);
    header[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let mut disk = log.into_disk();
    let file = disk.open(FIRST).unwrap();
    for copy in [0, 2048] {
        disk.write_at(file, copy, &header).unwrap();
    }
    let error = SegmentLog::open(disk, options(SEGMENT)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("format version=2"), "{error}");
}
