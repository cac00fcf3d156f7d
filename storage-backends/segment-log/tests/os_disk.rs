//! Writes of every kind, in any order, read back as from a plain array.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use repertoire_segment_log::{Disk, OsDisk, PAGE_BYTES};

const PAGES: usize = 16;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn direct_and_buffered_writes_make_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = OsDisk::open(folder.path().join("log")).unwrap();
    let file = disk.create("a").unwrap();
    let size = PAGES * PAGE_BYTES;
    disk.allocate(file, 0, size as u64).unwrap();
    let mut model = vec![0_u8; size];
    let mut random = Random(7);
    for round in 0..2_000_u32 {
        let from = random.below(size);
        let mut upto = from + 1 + random.below(3 * PAGE_BYTES);
        if random.below(4) > 0 {
            upto = upto.next_multiple_of(PAGE_BYTES);
        }
        let upto = upto.min(size);
        let bytes = vec![u8::try_from(round % 251).unwrap(); upto - from];
        model[from..upto].copy_from_slice(&bytes);
        if random.below(3) > 0 {
            disk.write_through(file, from as u64, &bytes).unwrap();
        } else {
            disk.write_at(file, from as u64, &bytes).unwrap();
        }
        if random.below(8) == 0 {
            disk.sync_data(file).unwrap();
        }
        let at = random.below(size);
        let mut back = vec![0; random.below(size - at) + 1];
        disk.read_at(file, at as u64, &mut back).unwrap();
        assert_eq!(back, model[at..at + back.len()], "round {round}");
    }
}

#[test]
fn consecutive_bursts_share_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = OsDisk::open(folder.path().join("log")).unwrap();
    let file = disk.create("a").unwrap();
    let size = PAGES * PAGE_BYTES;
    disk.allocate(file, 0, size as u64).unwrap();
    let mut written = Vec::new();
    let mut random = Random(11);
    while written.len() < size - 2 * PAGE_BYTES {
        let burst = vec![u8::try_from(random.below(256)).unwrap(); 1 + random.below(PAGE_BYTES)];
        let at = written.len();
        written.extend_from_slice(&burst);
        let mut padded = burst;
        let end = (at + padded.len()).next_multiple_of(PAGE_BYTES);
        padded.resize(end - at, 0);
        disk.write_through(file, at as u64, &padded).unwrap();
    }
    let mut back = vec![0; written.len()];
    disk.read_at(file, 0, &mut back).unwrap();
    assert!(back == written);
}
