//! Time as an input. Nothing in a pure crate reads a clock; the driver passes [`Now`] in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds on the monotonic clock of one machine, suspend included. For timers and leases.
///
/// Never crosses the wire, means nothing after a reboot.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mono(pub u64);

/// Milliseconds since the Unix epoch on the wall clock. May jump in either direction.
///
/// Feeds hybrid timestamps and the times inside log entries; no timer or lease may use it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub u64);

/// Both clocks, sampled together *after* the driver drained its inbox.
///
/// The order matters: every request of the batch was invoked before the sample, so a lease that is
/// valid at `mono` covers all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic clock.
    pub mono: Mono,
    /// Wall clock.
    pub wall: Wall,
}

impl Mono {
    /// The far future: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// This instant plus `span`, saturating.
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// This instant minus `span`; the beginning when that is earlier.
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
