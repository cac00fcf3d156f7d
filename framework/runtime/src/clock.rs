//! The only place that reads the machine's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use repertoire_core::{Mono, Now, Wall};

/// CPU time that the calling thread has used: it stands still while the machine runs something else.
pub(crate) fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Both clocks. Call it *after* draining an inbox: see [`Now`].
pub fn now() -> Now {
    // Boot time goes on during suspend, so a lease never survives a machine's sleep.
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(boot.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(boot.tv_nsec).unwrap_or(0);
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Now {
        mono: Mono(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)),
        wall: Wall(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)),
    }
}
