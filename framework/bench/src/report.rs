//! What was measured.

use serde::Serialize;

use crate::BenchOptions;

/// What the machine can do, measured in the same run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Limits {
    /// `fdatasync` calls per second after overwriting 4 KiB of a file written ahead.
    pub fdatasync_4k_per_second: f64,
    /// The same, for three files at once, summed: what three nodes share.
    pub fdatasync_4k_three_files_per_second: f64,
    /// Bytes per second that arrive on one QUIC stream of 64 KiB writes over loopback, in millions,
    /// both ends on this machine.
    pub quic_mb_per_second: f64,
}

/// What was measured. Times in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The settings.
    pub settings: BenchOptions,
    /// Requests that ended well, per second.
    pub ops_per_second: f64,
    /// Median latency.
    pub p50_us: u64,
    /// 99 % are faster.
    pub p99_us: u64,
    /// 99.9 % are faster.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// Requests that failed.
    pub errors: u64,
    /// The first failure, for people.
    pub first_error: Option<String>,
    /// Acknowledged writes that were read back from a follower, unchanged.
    pub verified: u64,
    /// Acknowledged writes that were read back and found changed or missing.
    pub lost: u64,
    /// Seconds after the load until the follower held the last acknowledged write: an `async` leader
    /// outruns its followers, and this says by how much.
    pub follower_catch_up_seconds: f64,
    /// CPU seconds of all processes, per 100,000 requests.
    pub cpu_seconds_per_100k_ops: f64,
    /// Peak resident memory of all processes, in MiB.
    pub peak_rss_mb: f64,
    /// `fdatasync` calls of all nodes, per second.
    pub fdatasync_per_second: f64,
    /// What the machine can do.
    pub limits: Option<Limits>,
}
