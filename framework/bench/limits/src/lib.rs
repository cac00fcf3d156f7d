//! Small shared helpers for the raw-limit programs.
pub mod load;

use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Process CPU time (user + system) in seconds.
pub fn cpu_s() -> f64 {
    unsafe {
        let mut r: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut r);
        (r.ru_utime.tv_sec + r.ru_stime.tv_sec) as f64
            + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) as f64 / 1e6
    }
}

pub fn hist() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

pub fn rec(h: &mut Histogram<u64>, d: Duration) {
    let _ = h.record(d.as_nanos().max(1) as u64);
}

/// One result line: TSV of name, value, unit, p50_us, p99_us, cpu seconds, wall seconds.
pub fn line(name: &str, value: f64, unit: &str, h: Option<&Histogram<u64>>, cpu: f64, wall: f64) {
    let (p50, p99) = match h {
        Some(h) => (
            format!("{:.1}", h.value_at_quantile(0.5) as f64 / 1e3),
            format!("{:.1}", h.value_at_quantile(0.99) as f64 / 1e3),
        ),
        None => ("-".into(), "-".into()),
    };
    println!("{name}\t{value:.1}\t{unit}\t{p50}\t{p99}\t{cpu:.2}\t{wall:.2}");
}

pub struct Meter {
    t: Instant,
    c: f64,
}
impl Meter {
    pub fn start() -> Self {
        Meter {
            t: Instant::now(),
            c: cpu_s(),
        }
    }
    pub fn wall(&self) -> f64 {
        self.t.elapsed().as_secs_f64()
    }
    pub fn cpu(&self) -> f64 {
        cpu_s() - self.c
    }
}

pub fn secs() -> f64 {
    std::env::var("SECS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(3.0)
}
