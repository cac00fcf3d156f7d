//! memcpy and checksum speed. Env: SECS per test.
use limits::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn run(name: &str, bytes_per: usize, mut f: impl FnMut()) {
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let m = Meter::start();
    let mut n = 0u64;
    while Instant::now() < until {
        for _ in 0..(1 + (1 << 20) / bytes_per.max(1)) {
            f();
            n += 1;
        }
    }
    let (wall, cpu) = (m.wall(), m.cpu());
    line(
        name,
        n as f64 * bytes_per as f64 / wall / 1e6,
        "MB/s",
        None,
        cpu,
        wall,
    );
}

fn main() {
    for (lbl, sz) in [("100B", 100usize), ("64KiB", 64 << 10), ("64MiB", 64 << 20)] {
        let src = vec![5u8; sz];
        let mut dst = vec![0u8; sz];
        run(&format!("memcpy {lbl}"), sz, || {
            black_box(&mut dst).copy_from_slice(black_box(&src));
        });
        run(&format!("crc32c {lbl}"), sz, || {
            black_box(crc32c::crc32c(black_box(&src)));
        });
        run(&format!("crc32fast (ieee) {lbl}"), sz, || {
            black_box(crc32fast::hash(black_box(&src)));
        });
    }
}
