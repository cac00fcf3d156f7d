//! Receivers that die at any point, and files that were damaged.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use repertoire_core::{ConfigEpoch, EntryId, ErrorKind, FormatTag, GroupId, Lsn, SnapshotHeader};
use tempfile::TempDir;

use super::{SnapshotFile, SnapshotStore, SnapshotWriter};

const GROUP: GroupId = GroupId::new(1, 0);

/// Chunks of different lengths.
fn chunks() -> Vec<Vec<u8>> {
    let lengths = [40, 1, 2, 97, 256, 3];
    let chunk = |(index, len): (usize, usize)| {
        let rows = 0..len;
        rows.map(|at| u8::try_from((at * 31 + index) % 251).unwrap())
            .collect()
    };
    lengths.into_iter().enumerate().map(chunk).collect()
}

fn position(lsn: u64) -> EntryId {
    EntryId {
        lsn: Lsn(lsn),
        ..EntryId::ZERO
    }
}

fn header(lsn: u64, chunks: &[Vec<u8>]) -> SnapshotHeader {
    SnapshotHeader {
        group: GROUP,
        config_epoch: ConfigEpoch(1),
        position: position(lsn),
        feature_level: 1,
        format: FormatTag(0),
        frontier: Bytes::from_static(b"frontier"),
        chunks: chunks.iter().map(|rows| crc32c::crc32c(rows)).collect(),
        bytes: chunks.iter().map(|rows| rows.len() as u64).sum(),
    }
}

fn open(folder: &TempDir) -> SnapshotStore {
    SnapshotStore::open(folder.path()).unwrap()
}

fn store_chunks(writer: &mut SnapshotWriter, chunks: &[Vec<u8>]) {
    for rows in chunks {
        writer.chunk(rows).unwrap();
        writer.flush().unwrap();
    }
}

fn part(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|e| e == "part"))
        .unwrap()
}

/// Goes on receiving in a store opened anew; says where it began, and checks what came of it.
fn resume(folder: &TempDir, chunks: &[Vec<u8>]) -> usize {
    let header = header(7, chunks);
    let mut store = open(folder);
    let (mut writer, have) = store.receive(&header).unwrap();
    let have = usize::try_from(have).unwrap();
    store_chunks(&mut writer, &chunks[have..]);
    store.received(writer, &header).unwrap();
    // What counts is what the next boot finds.
    let file = open(folder).newest(GROUP).unwrap();
    assert_eq!(file.header(), &header);
    for (index, rows) in chunks.iter().enumerate() {
        let index = u32::try_from(index).unwrap();
        assert_eq!(file.chunk(index).unwrap(), Bytes::copy_from_slice(rows));
    }
    have
}

/// Receives that many chunks and dies.
fn receive_some(folder: &TempDir, chunks: &[Vec<u8>], count: usize) {
    let store = open(folder);
    let (mut writer, have) = store.receive(&header(7, chunks)).unwrap();
    assert_eq!(have, 0);
    store_chunks(&mut writer, &chunks[..count]);
    // A killed process runs no destructor.
    std::mem::forget(writer);
}

#[test]
fn a_receiver_killed_at_any_chunk_goes_on_with_the_next() {
    let chunks = chunks();
    for count in 0..=chunks.len() {
        let folder = TempDir::new().unwrap();
        receive_some(&folder, &chunks, count);
        assert_eq!(resume(&folder, &chunks), count);
    }
}

#[test]
fn a_receiver_whose_last_bytes_are_lost_goes_on_with_the_first_chunk_that_is_not_whole() {
    let chunks = chunks();
    let mut ends = vec![8_u64];
    for rows in &chunks {
        ends.push(ends.last().unwrap() + 8 + rows.len() as u64);
    }
    for len in 0..=*ends.last().unwrap() {
        let folder = TempDir::new().unwrap();
        receive_some(&folder, &chunks, chunks.len());
        let file = OpenOptions::new().write(true).open(part(folder.path()));
        file.unwrap().set_len(len).unwrap();
        let whole = ends.iter().skip(1).filter(|end| **end <= len).count();
        assert_eq!(resume(&folder, &chunks), whole, "{len} bytes left");
    }
}

#[test]
fn a_receiver_keeps_no_chunk_that_was_damaged() {
    let chunks = chunks();
    let clean = TempDir::new().unwrap();
    receive_some(&clean, &chunks, chunks.len());
    let bytes = fs::read(part(clean.path())).unwrap();
    for at in 8..bytes.len() {
        let folder = TempDir::new().unwrap();
        receive_some(&folder, &chunks, chunks.len());
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(part(folder.path()), damaged).unwrap();
        resume(&folder, &chunks);
    }
}

#[test]
fn another_snapshot_begins_anew() {
    let (folder, chunks) = (TempDir::new().unwrap(), chunks());
    receive_some(&folder, &chunks, 3);
    let newer = header(8, &chunks);
    let (_, have) = open(&folder).receive(&newer).unwrap();
    assert_eq!(have, 0);
    // The same position with other content, of a sender that was restored from a backup.
    let mut other = chunks.clone();
    other[0][0] ^= 1;
    let folder = TempDir::new().unwrap();
    receive_some(&folder, &chunks, 3);
    let (_, have) = open(&folder).receive(&header(7, &other)).unwrap();
    assert_eq!(have, 0);
}

fn make(store: &mut SnapshotStore, lsn: u64, chunks: &[Vec<u8>]) {
    let mut writer = store.create(GROUP, position(lsn)).unwrap();
    store_chunks(&mut writer, chunks);
    store.finish(writer, &header(lsn, chunks)).unwrap();
}

#[test]
fn a_damaged_snapshot_never_gives_other_rows() {
    let (folder, chunks) = (TempDir::new().unwrap(), chunks());
    make(&mut open(&folder), 7, &chunks);
    let name = folder.path().join("1-0-7-0.snap");
    let bytes = fs::read(&name).unwrap();
    // The first eight only tell a person what the file is.
    for at in 8..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&name, &damaged).unwrap();
        let Ok(file) = SnapshotFile::open(&name) else {
            continue;
        };
        let mut failures = 0;
        for (index, rows) in chunks.iter().enumerate() {
            match file.chunk(u32::try_from(index).unwrap()) {
                Ok(read) => assert_eq!(read, Bytes::copy_from_slice(rows), "byte {at}"),
                Err(error) => {
                    let expected = [ErrorKind::Corrupted, ErrorKind::StorageFailed];
                    assert!(expected.contains(error.kind()), "{error}");
                    failures += 1;
                }
            }
        }
        // Each chunk's own checksum is for an unfinished file; the header has them all again.
        assert!(
            failures > 0 || is_checksum_of_a_chunk(at, &chunks),
            "byte {at}"
        );
    }
}

fn is_checksum_of_a_chunk(at: usize, chunks: &[Vec<u8>]) -> bool {
    let mut begin = 8;
    for rows in chunks {
        if (begin + 4..begin + 8).contains(&at) {
            return true;
        }
        begin += 8 + rows.len();
    }
    false
}

#[test]
fn a_damaged_or_unfinished_file_is_set_aside_for_the_one_before() {
    let (folder, chunks) = (TempDir::new().unwrap(), chunks());
    let mut store = open(&folder);
    make(&mut store, 7, &chunks);
    make(&mut store, 9, &chunks);
    let mut unfinished = store.create(GROUP, position(11)).unwrap();
    store_chunks(&mut unfinished, &chunks);
    std::mem::forget(unfinished);
    let newest = folder.path().join("1-0-9-0.snap");
    let len = fs::metadata(&newest).unwrap().len();
    let file = OpenOptions::new().write(true).open(&newest).unwrap();
    file.set_len(len - 1).unwrap();

    let store = open(&folder);
    let found = store.newest(GROUP).unwrap();
    assert_eq!(found.header().position, position(7));
    assert!(folder.path().join("1-0-9-0.damaged").exists());
    assert!(!folder.path().join("1-0-11-0.tmp").exists());
}

#[test]
fn the_two_newest_are_kept() {
    let (folder, chunks) = (TempDir::new().unwrap(), chunks());
    let mut store = open(&folder);
    for lsn in [3, 7, 9] {
        make(&mut store, lsn, &chunks);
    }
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["1-0-7-0.snap", "1-0-9-0.snap"]);
}
