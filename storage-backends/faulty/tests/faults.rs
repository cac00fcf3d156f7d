//! Each fault does what its name says, once, and the same seed gives the same faults.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use repertoire_segment_log::{Disk, DiskErrorKind, FileId, MemoryDisk};
use repertoire_storage_faulty::{Fault, FaultyDisk, Odds, Survivors};

type Faulty = FaultyDisk<MemoryDisk>;

/// A disk with one durable file of `len` zeros.
fn disk(len: u64) -> (Faulty, FileId) {
    let mut disk = FaultyDisk::new(MemoryDisk::new());
    let file = disk.create("file").unwrap();
    disk.allocate(file, 0, len).unwrap();
    disk.sync_data(file).unwrap();
    disk.sync_dir().unwrap();
    (disk, file)
}

fn read(disk: &mut Faulty, from: u64, len: usize) -> Vec<u8> {
    let file = disk.open("file").unwrap();
    let mut bytes = vec![0; len];
    disk.read_at(file, from, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_nth_operation_of_its_kind_fails_once() {
    let kind = DiskErrorKind::Full;
    let (mut disk, file) = disk(8);
    disk.inject(Fault::FailWrite { nth: 2, kind });
    disk.inject(Fault::FailSync {
        nth: 1,
        kind: DiskErrorKind::Failed,
    });
    disk.write_at(file, 0, b"a").unwrap();
    assert_eq!(disk.write_at(file, 0, b"b").unwrap_err().kind, kind);
    disk.write_at(file, 1, b"c").unwrap();
    assert_eq!(
        disk.sync_data(file).unwrap_err().kind,
        DiskErrorKind::Failed
    );
    disk.inject(Fault::FailAllocate { nth: 1, kind });
    assert_eq!(disk.create("other").unwrap_err().kind, kind);
    disk.inject(Fault::FailRead {
        nth: 1,
        kind: DiskErrorKind::Failed,
    });
    disk.read_at(file, 0, &mut [0]).unwrap_err();
    assert_eq!(read(&mut disk, 0, 3), b"ac\0");
    // The failed sync synced nothing.
    disk.crash(Survivors::None);
    assert_eq!(read(&mut disk, 0, 3), b"\0\0\0");
}

#[test]
fn a_torn_write_ends_in_the_dark() {
    let (mut disk, file) = disk(8);
    disk.inject(Fault::TearWrite { nth: 1, keep: 2 });
    disk.write_at(file, 0, b"abcd").unwrap_err();
    assert!(disk.is_off());
    disk.sync_data(file).unwrap_err();
    disk.list().unwrap_err();
    disk.crash(Survivors::All);
    assert_eq!(read(&mut disk, 0, 4), b"ab\0\0");
}

#[test]
fn the_power_fails_before_the_nth_change() {
    let (mut disk, file) = disk(8);
    disk.inject(Fault::PowerOff { nth: 2 });
    disk.write_at(file, 0, b"a").unwrap();
    disk.read_at(file, 0, &mut [0]).unwrap();
    disk.write_at(file, 1, b"b").unwrap_err();
    disk.power_on();
    assert_eq!(read(&mut disk, 0, 2), b"a\0");
}

#[test]
fn any_subset_of_pages_may_survive() {
    for subset in 0..8_u32 {
        let (mut disk, file) = disk(3 * 4096);
        disk.write_at(file, 0, &[1; 3 * 4096]).unwrap();
        let chosen = (0..3).filter(|page| subset & 1 << page != 0).collect();
        disk.crash(Survivors::Pages(chosen));
        for page in 0..3 {
            let survived = u8::from(subset & 1 << page != 0);
            assert_eq!(read(&mut disk, page * 4096 + 4095, 1), [survived]);
        }
    }
}

#[test]
fn names_are_not_durable_before_the_folder_is_synced() {
    let (mut disk, _) = disk(8);
    let new = disk.create("new").unwrap();
    disk.allocate(new, 0, 8).unwrap();
    disk.sync_data(new).unwrap();
    disk.rename("file", "renamed").unwrap();
    disk.crash(Survivors::None);
    assert_eq!(disk.list().unwrap(), ["file"]);
}

#[test]
fn a_flipped_bit_is_there_for_good() {
    let (mut disk, _) = disk(8);
    disk.flip_bit("file", 5, 6).unwrap();
    disk.crash(Survivors::None);
    assert_eq!(read(&mut disk, 5, 1), [64]);
    disk.flip_bit("file", 8, 0).unwrap_err();
}

/// Which of many writes fail, and how long all of it takes.
fn chance(seed: u64) -> (BTreeSet<u32>, Duration) {
    let odds = Odds {
        write_failure: 100_000,
        slow: 200_000,
        delay_max_nanos: 1_000_000,
        ..Odds::default()
    };
    let mut disk = FaultyDisk::seeded(MemoryDisk::new(), seed, odds);
    let file = disk.create("file").unwrap();
    let failed = (0..1000).filter(|_| disk.write_at(file, 0, b"x").is_err());
    (failed.collect(), disk.take_delay())
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let (failed, delay) = chance(7);
    assert_eq!((failed.clone(), delay), chance(7));
    assert_ne!(failed, chance(8).0);
    assert!((50..200).contains(&failed.len()), "{}", failed.len());
    assert!(delay > Duration::from_millis(10), "{delay:?}");
}
