//! Bursts a second with `fdatasync`, beside what the disk can do at all.
//!
//! ```text
//! cargo run --release -p repertoire-segment-log --example log_speed -- [FOLDER]
//! ```
//!
//! FOLDER must not exist; about 300 MiB are used there and removed again. Without one, only the cost
//! of framing is measured, on a disk in memory.
#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use repertoire_core::{
    Entry, EntryId, GroupId, GroupLogOp, LeaderEpoch, LogOp, LogStore, Lsn, StreamId,
};
use repertoire_segment_log::{Counters, MemoryDisk, Options, OsDisk, SegmentLog};

type Failure = Box<dyn std::error::Error>;

const GROUP: GroupId = GroupId::new(1, 0);
const STREAM: StreamId = StreamId(0);

/// How long each point is measured.
const SPAN: Duration = Duration::from_secs(2);

fn main() -> Result<(), Failure> {
    if let Some(folder) = std::env::args().nth(1) {
        let folder = Path::new(&folder);
        std::fs::create_dir(folder)?;
        let measured = measure(folder);
        std::fs::remove_dir_all(folder)?;
        measured?;
    }
    framing()
}

fn measure(folder: &Path) -> Result<(), Failure> {
    println!(
        "{:>9} {:>22} {:>22} {:>14}",
        "body", "raw write+fdatasync", "segment log", "prepared late"
    );
    for len in [100, 4 * 1024, 64 * 1024, 256 * 1024] {
        let raw = raw(folder, len + 232)?;
        let (log, counters) = log(folder, len)?;
        let rate = |(count, span): (u32, Duration)| f64::from(count) / span.as_secs_f64();
        println!(
            "{len:>9} {:>20.0}/s {:>20.0}/s {:>14}",
            rate(raw),
            rate(log),
            counters.segments_late
        );
    }
    Ok(())
}

/// Overwrites a prewritten file, one write and one `fdatasync` at a time.
fn raw(folder: &Path, len: usize) -> Result<(u32, Duration), Failure> {
    const SIZE: u64 = 64 * 1024 * 1024;
    let path = folder.join("raw");
    let file = std::fs::File::create(&path)?;
    let zeros = vec![0; 1024 * 1024];
    for piece in 0..SIZE / zeros.len() as u64 {
        file.write_all_at(&zeros, piece * zeros.len() as u64)?;
    }
    file.sync_all()?;
    let bytes = vec![7; len];
    let (start, mut count, mut offset) = (Instant::now(), 0, 0);
    while start.elapsed() < SPAN {
        file.write_all_at(&bytes, offset)?;
        file.sync_data()?;
        count += 1;
        offset = (offset + len as u64) % (SIZE - len as u64);
    }
    let span = start.elapsed();
    std::fs::remove_file(path)?;
    Ok((count, span))
}

fn append(lsn: u64, body: &Bytes) -> GroupLogOp {
    let entry = Entry {
        epoch: LeaderEpoch(1),
        first: Lsn(lsn),
        count: 1,
        body: body.clone(),
        ..Entry::default()
    };
    let (group, stream) = (GROUP, STREAM);
    let op = LogOp::Append { stream, entry };
    let sync = true;
    GroupLogOp { group, sync, op }
}

fn checkpoint(lsn: u64) -> GroupLogOp {
    let (group, stream) = (GROUP, STREAM);
    let upto = EntryId::new(LeaderEpoch(1), Lsn(lsn));
    let op = LogOp::Checkpoint { stream, upto };
    let sync = false;
    GroupLogOp { group, sync, op }
}

/// One entry a burst; a checkpoint every hundred bursts lets the log recycle its segments.
fn log(folder: &Path, len: usize) -> Result<((u32, Duration), Counters), Failure> {
    let path = folder.join("log");
    let mut log = SegmentLog::open(OsDisk::open(&path)?, Options::new(1))?;
    log.set_retention(GROUP, 0);
    while log.prepare_step(u64::MAX)? {}
    let body = Bytes::from(vec![7; len]);
    let (start, mut count, mut lsn) = (Instant::now(), 0, 0);
    while start.elapsed() < SPAN {
        lsn += 1;
        log.write(&[append(lsn, &body)])?;
        log.sync()?;
        count += 1;
        if count % 100 == 0 {
            log.write(&[checkpoint(lsn)])?;
        }
        if log.needs_preparation() {
            log.prepare_step(1024 * 1024)?;
        }
    }
    let measured = ((count, start.elapsed()), log.counters());
    drop(log);
    std::fs::remove_dir_all(path)?;
    Ok(measured)
}

/// What a record costs without a disk: in memory, many entries a burst.
fn framing() -> Result<(), Failure> {
    for (len, burst, rounds) in [(0, 1000, 3000), (100, 1000, 3000), (256 * 1024, 8, 1000)] {
        in_memory(len, burst, rounds, Options::new(1))?;
    }
    println!(
        "as in a simulation, one entry a burst, segments of 64 KiB, sync and upkeep included:"
    );
    in_memory(100, 1, 300_000, Options::small(1, 64 * 1024))
}

fn in_memory(len: usize, burst: u64, rounds: u64, options: Options) -> Result<(), Failure> {
    let body = Bytes::from(vec![7; len]);
    let mut log = SegmentLog::open(MemoryDisk::new(), options)?;
    log.set_retention(GROUP, 0);
    while log.prepare_step(u64::MAX)? {}
    let mut lsn = 0;
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let ops: Vec<GroupLogOp> = (lsn + 1..=lsn + burst)
            .map(|lsn| append(lsn, &body))
            .collect();
        lsn += burst;
        let start = Instant::now();
        log.write(&ops)?;
        if burst == 1 {
            log.sync()?;
            log.maintain()?;
        }
        spent += start.elapsed();
        if burst > 1 || lsn % 50 == 0 {
            log.write(&[checkpoint(lsn)])?;
            log.sync()?;
        }
        while burst > 1 && log.prepare_step(u64::MAX)? {}
    }
    let each = spent.as_secs_f64() / f64::from(u32::try_from(burst * rounds)?);
    let rate = f64::from(u32::try_from(len)?) / each / 1e9;
    println!(
        "body {len:>7}: {:>8.0} ns an entry ({rate:.2} GB/s)",
        each * 1e9
    );
    Ok(())
}
