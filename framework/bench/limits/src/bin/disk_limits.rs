//! fdatasync latency and rate, and SQLite commit rate. Arg 1: a directory to write in. Env: SECS per test.
use limits::*;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

fn open(p: &Path, flags: i32) -> File {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(p)
        .unwrap()
}

/// Appends blocks, one fdatasync per block, for SECS; returns the histogram.
fn append(p: &Path, block: usize, prealloc: bool, dsync: bool) -> hdrhistogram::Histogram<u64> {
    let f = open(p, if dsync { libc::O_DSYNC } else { 0 });
    let cap = 64 << 20;
    if prealloc {
        // really written, so that later writes change neither the size nor the extent map
        let z = vec![0u8; 1 << 20];
        for i in 0..(cap >> 20) {
            f.write_all_at(&z, (i << 20) as u64).unwrap();
        }
        f.sync_all().unwrap();
    }
    let b = vec![0x5au8; block];
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let mut h = hist();
    let mut off = 0u64;
    while Instant::now() < until {
        let t = Instant::now();
        f.write_all_at(&b, off).unwrap();
        if !dsync {
            f.sync_data().unwrap();
        }
        rec(&mut h, t.elapsed());
        off += block as u64;
        if prealloc && off + block as u64 > cap as u64 {
            off = 0;
        }
    }
    drop(f);
    let _ = std::fs::remove_file(p);
    h
}

fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).expect("a directory"));
    for (name, block, pre, ds) in [
        (
            "append+fdatasync 4KiB (file grows)",
            4096usize,
            false,
            false,
        ),
        ("append+fdatasync 16KiB (file grows)", 16384, false, false),
        ("append+fdatasync 64KiB (file grows)", 65536, false, false),
        ("append+fdatasync 1MiB (file grows)", 1 << 20, false, false),
        (
            "write+fdatasync 4KiB (written-ahead file)",
            4096,
            true,
            false,
        ),
        (
            "write+fdatasync 16KiB (written-ahead file)",
            16384,
            true,
            false,
        ),
        ("O_DSYNC write 4KiB (written-ahead file)", 4096, true, true),
    ] {
        let m = Meter::start();
        let h = append(&dir.join("blk"), block, pre, ds);
        line(
            name,
            h.len() as f64 / secs(),
            "sync/s",
            Some(&h),
            m.cpu(),
            m.wall(),
        );
    }
    for n in [2usize, 3] {
        let m = Meter::start();
        let ts: Vec<_> = (0..n)
            .map(|i| {
                let p = dir.join(format!("par{i}"));
                std::thread::spawn(move || append(&p, 4096, true, false))
            })
            .collect();
        let mut h = hist();
        for t in ts {
            h.add(t.join().unwrap()).unwrap();
        }
        line(
            &format!("write+fdatasync 4KiB, {n} files at once (sum)"),
            h.len() as f64 / secs(),
            "sync/s",
            Some(&h),
            m.cpu(),
            m.wall(),
        );
    }
    for sync in ["FULL", "NORMAL"] {
        let p = dir.join("lite.db");
        {
            let c = rusqlite::Connection::open(&p).unwrap();
            c.pragma_update(None, "journal_mode", "WAL").unwrap();
            c.pragma_update(None, "synchronous", sync).unwrap();
            c.execute(
                "create table if not exists kv(k blob primary key, v blob) without rowid",
                [],
            )
            .unwrap();
            let mut st = c
                .prepare("insert or replace into kv values(?1, ?2)")
                .unwrap();
            let v = vec![1u8; 100];
            let mut h = hist();
            let until = Instant::now() + Duration::from_secs_f64(secs());
            let m = Meter::start();
            let mut i = 0u64;
            while Instant::now() < until {
                let k = format!("{:016x}", i);
                let t = Instant::now();
                st.execute(rusqlite::params![k.as_bytes(), v]).unwrap();
                rec(&mut h, t.elapsed());
                i += 1;
            }
            let (wall, cpu) = (m.wall(), m.cpu());
            line(
                &format!(
                    "sqlite {} 1-row commits, WAL synchronous={sync}",
                    rusqlite::version()
                ),
                h.len() as f64 / wall,
                "commit/s",
                Some(&h),
                cpu,
                wall,
            );
        }
        for s in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.join(format!("lite.db{s}")));
        }
    }
}
