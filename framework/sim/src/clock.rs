//! The clocks of one node: a monotonic one that runs a little fast or slow, and a wall clock that
//! may jump.

use repertoire_core::{Mono, Now, Wall};

/// Virtual time of the simulation, in nanoseconds since its start.
pub(crate) type Nanos = u64;

pub(crate) const MICRO: Nanos = 1_000;
pub(crate) const MILLI: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// Where every wall clock starts: 2025-01-01.
pub(crate) const WALL_START_MS: u64 = 1_735_689_600_000;

/// The clocks of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeClock {
    /// What the monotonic clock showed when the simulation began.
    offset: u64,
    /// How much it gains, in parts per million; negative when it is slow.
    skew_ppm: i64,
    /// What was added to the wall clock, in milliseconds.
    jumped_ms: i64,
}

impl NodeClock {
    pub(crate) const fn new(offset: u64, skew_ppm: i64) -> Self {
        Self {
            offset,
            skew_ppm,
            jumped_ms: 0,
        }
    }

    /// What both clocks show at `at`.
    #[inline]
    pub(crate) fn now(&self, at: Nanos) -> Now {
        let wall = WALL_START_MS + at / MILLI;
        Now {
            mono: self.mono(at),
            wall: Wall(wall.saturating_add_signed(self.jumped_ms)),
        }
    }

    #[inline]
    pub(crate) fn mono(&self, at: Nanos) -> Mono {
        let gained = (at / 1_000_000).cast_signed() * self.skew_ppm;
        Mono((self.offset + at).saturating_add_signed(gained))
    }

    /// The first moment at which the monotonic clock shows at least `mono`.
    pub(crate) fn when(&self, mono: Mono) -> Nanos {
        let shown = mono.0.saturating_sub(self.offset);
        let gained = (shown / 1_000_000).cast_signed() * self.skew_ppm;
        let mut at = shown.saturating_add_signed(-gained);
        // The estimate is off by rounding alone: a few steps reach the exact moment.
        while self.mono(at) < mono {
            at += 1 + mono.0.saturating_sub(self.mono(at).0) / 2;
        }
        at
    }

    /// Moves the wall clock.
    pub(crate) fn jump(&mut self, by_ms: i64) {
        self.jumped_ms += by_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_at_or_just_after_its_time_whatever_the_skew() {
        for skew in [-200, 0, 200] {
            let clock = NodeClock::new(12_345, skew);
            for at in [0, 1, 999_999, SECOND, 77 * SECOND + 13] {
                let mono = clock.mono(at);
                let when = clock.when(mono);
                assert!(clock.mono(when) >= mono);
                assert!(when.abs_diff(at) <= MILLI, "{when} {at}");
            }
        }
    }
}
