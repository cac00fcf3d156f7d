//! Measures the engine beside `std`'s `HashMap`:
//! `cargo run --release -p repertoire-storage-memory --example measure [KEYS] [BATCH]`.
//!
//! Every series runs several times with the same inputs, so that the n-th call does the same work
//! in each run; a call's time is the shortest of its runs. That takes out what a busy machine adds.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use repertoire_core::{Applied, Lsn, SnapshotChunk, Space, StorageEngine, WriteBatch};
use repertoire_storage_memory::MemoryEngine;

type Key = [u8; 16];
type Map = HashMap<Vec<u8>, Vec<u8>>;

const VALUE: [u8; 100] = [7; 100];
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let many = args.next().map_or(Ok(5_000_000), |text| text.parse())?;
    let batch = args.next().map_or(Ok(1000), |text| text.parse())?;
    overwrite(200_000, batch);
    large(many, batch)?;
    Ok(())
}

/// The shortest time of each call over several runs.
#[derive(Default)]
struct Calls {
    shortest: Vec<Duration>,
    next: usize,
    operations: usize,
}

impl Calls {
    fn time(&mut self, call: impl FnOnce()) {
        let start = Instant::now();
        call();
        let took = start.elapsed();
        match self.shortest.get_mut(self.next) {
            Some(shortest) => *shortest = took.min(*shortest),
            None => self.shortest.push(took),
        }
        self.next += 1;
    }

    fn end_run(&mut self, operations: usize) {
        self.next = 0;
        self.operations = operations;
    }

    fn nanos(&self) -> f64 {
        let total: Duration = self.shortest.iter().sum();
        total.as_secs_f64() * 1e9 / self.operations as f64
    }

    fn longest(&self) -> Duration {
        self.shortest.iter().max().copied().unwrap_or_default()
    }

    fn print(&self, what: &str) {
        let (nanos, longest) = (self.nanos(), self.longest());
        println!("{what:<44} {nanos:>6.0} ns each, longest call {longest:?}");
    }
}

/// `SplitMix64`: a key per number, in no order.
fn key(number: u64) -> Key {
    let mut z = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    let mut bytes = [0; 16];
    let (high, low) = bytes.split_at_mut(8);
    high.copy_from_slice(&(z ^ z >> 31).to_be_bytes());
    low.copy_from_slice(&number.to_be_bytes());
    bytes
}

fn random_keys(keys: u64, count: u64) -> Vec<Key> {
    let random = |i: u64| {
        let [a, b, c, d, ..] = key(i ^ 0xABCD_EF01);
        u64::from(u32::from_le_bytes([a, b, c, d]))
    };
    (0..count).map(|i| key(random(i) % keys)).collect()
}

/// Applies a change of each key; every call of `apply` is timed.
fn apply(
    engine: &mut MemoryEngine,
    keys: &[Key],
    value: Option<&[u8]>,
    batch_len: usize,
    calls: &mut Calls,
) {
    for keys in keys.chunks(batch_len) {
        let mut batch = WriteBatch::new(Applied {
            lsn: Lsn(1),
            ..Applied::default()
        });
        for key in keys {
            match value {
                Some(value) => batch.set(Space::Data, key, value),
                None => batch.remove(Space::Data, key),
            }
        }
        calls.time(|| assert_eq!(engine.apply(&batch), Ok(())));
    }
    calls.end_run(keys.len());
}

fn overwrite(keys: u64, batch: usize) {
    println!("{keys} keys of 16 bytes, values of 100 bytes, batches of {batch}");
    let all: Vec<_> = (0..keys).map(key).collect();
    let writes = random_keys(keys, 1_000_000);
    let mut engine = MemoryEngine::new(1);
    let mut map = Map::new();
    apply(
        &mut engine,
        &all,
        Some(&VALUE),
        batch,
        &mut Calls::default(),
    );
    for key in &all {
        map.insert(key.to_vec(), VALUE.to_vec());
    }
    let [mut batched, mut single, mut std, mut get] = [(); 4].map(|()| Calls::default());
    for _ in 0..RUNS {
        apply(&mut engine, &writes, Some(&VALUE), batch, &mut batched);
        for keys in writes.chunks(batch) {
            std.time(|| keys.iter().for_each(|key| set(&mut map, key)));
        }
        std.end_run(writes.len());
        for keys in writes.chunks(batch) {
            get.time(|| {
                for key in keys {
                    black_box(engine.get(Space::Data, key)).ok();
                }
            });
        }
        get.end_run(writes.len());
        let some = writes.get(..200_000).unwrap_or_default();
        apply(&mut engine, some, Some(&VALUE), 1, &mut single);
    }
    batched.print("overwrite, engine");
    std.print("overwrite, HashMap<Vec<u8>, Vec<u8>>");
    single.print("overwrite, engine, batches of one");
    get.print("get, engine");
}

fn set(map: &mut Map, key: &Key) {
    if let Some(value) = map.get_mut(key.as_slice()) {
        value.clear();
        value.extend_from_slice(&VALUE);
    }
}

fn large(keys: u64, batch: usize) -> Result<(), Box<dyn Error>> {
    println!("{keys} keys");
    let all: Vec<_> = (0..keys).map(key).collect();
    let sorted: Vec<_> = (0..keys).map(|n| u128::from(n).to_be_bytes()).collect();
    let writes = random_keys(keys, 1_000_000);
    let [mut insert, mut append, mut over, mut remove] = [(); 4].map(|()| Calls::default());
    for run in 0..RUNS {
        let mut engine = MemoryEngine::new(1);
        apply(&mut engine, &sorted, Some(&VALUE), batch, &mut append);
        engine = MemoryEngine::new(1);
        apply(&mut engine, &all, Some(&VALUE), batch, &mut insert);
        apply(&mut engine, &writes, Some(&VALUE), batch, &mut over);
        if run == 0 {
            println!("engine.bytes() = {} MB", engine.bytes() >> 20);
            scans(&engine, writes.get(..2000).unwrap_or_default());
            snapshot(&mut engine, &writes, batch)?;
        }
        apply(&mut engine, &all, None, batch, &mut remove);
    }
    append.print("insert in key order");
    insert.print("insert in random order");
    over.print("overwrite in random order");
    remove.print("remove in random order");
    Ok(())
}

fn scans(engine: &MemoryEngine, keys: &[Key]) {
    let [mut whole, mut short, mut digest] = [(); 3].map(|()| Calls::default());
    for _ in 0..RUNS {
        let mut rows = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            rows += 1;
            true
        };
        whole.time(|| assert_eq!(engine.scan(Space::Data, &[], &[], &mut visit), Ok(())));
        whole.end_run(rows);
        for key in keys {
            let mut left = 10;
            let mut visit = |_: &[u8], _: &[u8]| {
                left -= 1;
                left > 0
            };
            short.time(|| assert_eq!(engine.scan(Space::Data, key, &[], &mut visit), Ok(())));
        }
        short.end_run(keys.len());
        digest.time(|| {
            black_box(engine.digest()).ok();
        });
        digest.end_run(rows);
    }
    whole.print("scan of everything, a row");
    short.print("scan of ten rows from a random key");
    digest.print("digest, a row");
}

/// A snapshot with a batch of random overwrites between every two chunks.
fn snapshot(engine: &mut MemoryEngine, writes: &[Key], batch: usize) -> Result<(), Box<dyn Error>> {
    engine.snapshot_begin()?;
    let mut writes = writes.chunks(batch);
    let (mut read, mut write) = (Calls::default(), Calls::default());
    let (mut bytes, mut extra, mut written, mut goes_on) = (0, 0, 0, true);
    while goes_on {
        if let Some(keys) = writes.next() {
            let mut once = Calls::default();
            apply(engine, keys, Some(&VALUE), batch, &mut once);
            write.shortest.append(&mut once.shortest);
            written += keys.len();
        }
        extra = extra.max(engine.snapshot_bytes());
        let mut chunk = SnapshotChunk::new();
        read.time(|| goes_on = engine.snapshot_read(&mut chunk, 1 << 20) == Ok(true));
        bytes += chunk.len();
    }
    let seconds = read.shortest.iter().sum::<Duration>().as_secs_f64();
    let rate = bytes as f64 / 1e6 / seconds;
    println!(
        "snapshot: {rate:.0} MB/s, extra memory at most {} KiB",
        extra >> 10
    );
    write.end_run(written);
    write.print("overwrite while a snapshot is open");
    Ok(())
}
