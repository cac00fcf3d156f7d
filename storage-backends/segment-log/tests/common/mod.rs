//! What the tests share: operations in short form, and a simple model of what a log must hold.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "helpers of tests; not every test uses all of them"
)]

pub mod model;

use bytes::Bytes;
use repertoire_core::{
    Entry, EntryId, GroupId, GroupLogOp, LeaderEpoch, LogOp, LogSlice, LogStore, Lsn, StreamId,
};
use repertoire_segment_log::{Disk, MemoryDisk, Options, SegmentLog};

pub const IDENTITY: u128 = 0xfeed_beef;
pub const A: GroupId = GroupId::new(1, 0);
pub const B: GroupId = GroupId::new(2, 7);
pub const S0: StreamId = StreamId(0);
pub const S1: StreamId = StreamId(1);

pub type MemoryLog = SegmentLog<MemoryDisk>;

/// A generator of random numbers; the seed is the whole case.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

pub fn options(segment_bytes: u32) -> Options {
    Options::small(IDENTITY, segment_bytes)
}

pub fn open<D: Disk>(disk: D, segment_bytes: u32) -> SegmentLog<D> {
    SegmentLog::open(disk, options(segment_bytes)).unwrap()
}

pub fn id(epoch: u64, lsn: u64) -> EntryId {
    EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
}

/// An entry of `count` records whose body is `len` bytes, told apart by `salt`.
pub fn entry(epoch: u64, first: u64, count: u32, len: usize, salt: u64) -> Entry {
    let mut random = Random(salt ^ first << 20 ^ epoch << 50);
    let body: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    Entry {
        epoch: LeaderEpoch(epoch),
        first: Lsn(first),
        count,
        body: Bytes::from(body),
        ..Entry::default()
    }
}

pub fn op(group: GroupId, op: LogOp) -> GroupLogOp {
    GroupLogOp {
        group,
        sync: true,
        op,
    }
}

pub fn append(group: GroupId, first: u64, len: usize) -> GroupLogOp {
    let (stream, entry) = (S0, entry(1, first, 1, len, 0));
    op(group, LogOp::Append { stream, entry })
}

pub fn hard_state(group: GroupId, bytes: &[u8]) -> GroupLogOp {
    op(group, LogOp::HardState(Bytes::copy_from_slice(bytes)))
}

pub fn checkpoint(group: GroupId, upto: EntryId) -> GroupLogOp {
    op(group, LogOp::Checkpoint { stream: S0, upto })
}

pub fn truncate(group: GroupId, last: u64) -> GroupLogOp {
    let (stream, last) = (S0, Lsn(last));
    op(group, LogOp::Truncate { stream, last })
}

pub fn reset(group: GroupId, base: EntryId) -> GroupLogOp {
    op(group, LogOp::Reset { stream: S0, base })
}

/// Writes and syncs.
pub fn put<D: Disk>(log: &mut SegmentLog<D>, burst: &[GroupLogOp]) {
    log.write(burst).unwrap();
    log.sync().unwrap();
}

/// First LSNs of all entries of stream 0 from `from` on.
pub fn lsns<D: Disk>(log: &mut SegmentLog<D>, group: GroupId, from: u64) -> Vec<u64> {
    match log.read(group, S0, Lsn(from), usize::MAX).unwrap() {
        LogSlice::Entries(entries) => entries.iter().map(|entry| entry.first.0).collect(),
        LogSlice::Trimmed { base } => panic!("trimmed at {base}"),
    }
}

/// Closes and opens again, the process being killed in between.
pub fn reopen<D: Disk>(log: SegmentLog<D>, segment_bytes: u32) -> SegmentLog<D> {
    open(log.into_disk(), segment_bytes)
}

/// Opens what a power loss would leave of a log, which goes on untouched.
pub fn reopen_durable(log: &MemoryLog, segment_bytes: u32) -> MemoryLog {
    open(log.disk().durable(), segment_bytes)
}
