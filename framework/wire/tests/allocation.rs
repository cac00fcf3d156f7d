//! No frame makes a decoder allocate more than the frame's cap.
#![allow(
    unsafe_code,
    reason = "a counting allocator has to implement the unsafe trait of allocators"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "a test"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::limits::DATA_FRAME_MAX;
use repertoire_wire::{FrameSplitter, WIRE_VERSION, decode_frame};
use support::{Random, bare, decode_all, samples};

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    // Threads that end give back memory when their counters are gone; nobody looks then.
    let _gone = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _gone = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: passes every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may exist together.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes that `work` held at once.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = NOW.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).unwrap()
}

/// A frame of that kind around a head and a body.
fn frame(kind: u8, head: &[u8], body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(WIRE_VERSION);
    out.put_u8(kind);
    out.put_bytes(0, 16);
    out.put_u16_le(u16::try_from(head.len()).unwrap());
    out.put_u16_le(0);
    out.put_slice(head);
    out.put_slice(body);
    out.freeze()
}

/// What decoders may need beside the data: errors, small vectors.
const SLACK: usize = 64 * 1024;

#[test]
fn the_allocator_counts() {
    assert!((1 << 20..(1 << 20) + 100).contains(&peak_of(|| drop(vec![1_u8; 1 << 20]))));
}

#[test]
fn peer_frames_are_read_without_allocating() {
    let bytes = frame(4, &vec![7; 60_000], &vec![7; 900_000]);
    for class in repertoire_core::Class::ALL {
        let peak = peak_of(|| drop(decode_frame(bytes.clone(), class).unwrap()));
        assert!(peak <= 256, "{peak} bytes");
    }
}

#[test]
fn damaged_messages_stay_within_the_cap() {
    let frames: Vec<Bytes> = samples().iter().map(|(_, bytes)| bare(bytes)).collect();
    let mut worst = 0;
    for seed in 0..100_000 {
        let mut random = Random(seed);
        let mut bytes = frames[random.below(frames.len())].to_vec();
        random.damage(&mut bytes);
        let bytes = Bytes::from(bytes);
        worst = worst.max(peak_of(|| {
            decode_all(&bytes);
        }));
    }
    // The samples are shorter than two kilobytes: so much for amplification.
    assert!(worst <= SLACK, "{worst} bytes");
}

#[test]
fn full_frames_of_the_worst_kind_stay_within_the_cap() {
    let repeated = |head: &[u8], item: &[u8]| {
        let count = (DATA_FRAME_MAX - 100) / item.len();
        [head, &item.repeat(count)].concat()
    };
    // A head of a thousand items at most, whatever their count field says.
    let heads: [&[u8]; 4] = [&[0; 64], &[0xff; 64], &[0x7f; 64], &[1; 64]];
    let bodies = [
        vec![0; DATA_FRAME_MAX - 100],
        vec![1; DATA_FRAME_MAX - 100],
        vec![0xff; DATA_FRAME_MAX - 100],
        // Answers: rows without end, each empty; and as many as are allowed.
        repeated(&answer(3, u32::MAX), &[0; 8]),
        repeated(&answer(3, 16 * 1024), &[0; 8]),
        // Positions of as many dots, and as many origins, as are allowed.
        repeated(&position(3, 1024), &[1; 32]),
        repeated(&position(2, 1024), &[1, 2, 3, 4, 5, 6, 7, 8]),
        repeated(&position(3, u16::MAX), &[1; 32]),
        // An error whose texts and lists claim to be long.
        repeated(&failure(&[23, 1, 0, 0xff, 0x1f]), &[0; 8]),
        repeated(&failure(&[0; 4096]), &[0; 8]),
        repeated(&failure(&[5; 4096]), &[0; 8]),
    ];
    for body in &bodies {
        for kind in 0..40 {
            for head in [&[0][..], &[0, 0][..], &[]].into_iter().chain(heads) {
                let bytes = frame(kind, head, body);
                let peak = peak_of(|| {
                    decode_all(&bytes);
                });
                assert!(
                    peak <= DATA_FRAME_MAX + SLACK,
                    "{peak} bytes for kind {kind}"
                );
            }
        }
    }
}

fn answer(tag: u8, count: u32) -> Vec<u8> {
    let mut out = position(1, 0);
    out.truncate(9);
    out.extend([1; 17]);
    out.push(tag);
    out.extend(count.to_le_bytes());
    out
}

fn position(tag: u8, count: u16) -> Vec<u8> {
    let mut out = vec![3];
    out.extend([0; 8]);
    out.push(tag);
    out.extend(count.to_le_bytes());
    out
}

fn failure(blob: &[u8]) -> Vec<u8> {
    let mut out = vec![4];
    out.extend([0; 8]);
    out.extend(1_u32.to_le_bytes());
    out.extend([1, 1, 1, 0]);
    out.extend(u16::try_from(blob.len()).unwrap().to_le_bytes());
    out.extend(blob);
    out
}

#[test]
fn a_splitter_holds_no_more_than_one_frame() {
    for declared in [22_u32, 70_000, 1_048_576 + 22] {
        let mut splitter = FrameSplitter::new(DATA_FRAME_MAX);
        let length = Bytes::copy_from_slice(&declared.to_le_bytes());
        let mut out = Vec::with_capacity(4);
        let only_length = peak_of(|| splitter.push(length, &mut out).unwrap());
        assert!(
            only_length <= 64,
            "{only_length} bytes on the word of a length"
        );
        let chunk = Bytes::from(vec![1; 1000]);
        let peak = peak_of(|| {
            while out.is_empty() {
                out.extend(splitter.next(&mut chunk.clone()).unwrap());
            }
        });
        let cap = usize::try_from(declared).unwrap();
        // While it moves from its first reserve to its full size, both exist.
        assert!(
            peak <= cap + SLACK + 1024,
            "{peak} bytes for a frame of {cap}"
        );
    }
    let mut splitter = FrameSplitter::new(DATA_FRAME_MAX);
    let bomb = Bytes::copy_from_slice(&u32::MAX.to_le_bytes());
    let mut out = Vec::new();
    assert!(peak_of(|| assert!(splitter.push(bomb, &mut out).is_err())) <= 64);
}
