//! When to make checkpoints, and how fast the log may grow while one is made.
//!
//! What no checkpoint covers cannot be dropped from the log. To keep the log below its retention the
//! next checkpoint begins early enough, and while it is made writes get the room that is left in step
//! with its progress: a large state slows them all along instead of stopping them at the end.

use crate::{EntryId, KeyspaceOptions};

/// What is written while a snapshot is made, unless the state is large.
const WRITTEN_MEANWHILE_BYTES: u64 = 64 << 20;

/// What peers may have sent before they learn that a replica is held up.
const IN_FLIGHT_BYTES: u64 = 4 << 20;

/// A smaller retention than this holds nobody up, and makes checkpoints no more frequent.
const RETENTION_BYTES_MIN: u64 = 1 << 20;

/// Room is given out in so many steps.
const STEPS: u64 = 1024;

/// A snapshot that was begun and is not durable.
#[derive(Clone, Copy, Debug)]
struct Making {
    position: EntryId,
    /// Bytes applied when it began.
    applied: u64,
    /// Those of them that no checkpoint covered.
    uncovered: u64,
    /// Bytes read of the state.
    read: u64,
}

/// See the module's documentation. Bytes are counted from the replica's boot.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    applied: u64,
    logged: u64,
    /// Applied bytes that a durable checkpoint covers.
    covered: u64,
    /// Applied bytes when the last snapshot began.
    last_begin: u64,
    making: Option<Making>,
    /// The last snapshot could not be stored.
    failing: bool,
    /// Bytes of the last snapshot: what the next one will take.
    expected: u64,
}

impl Pace {
    pub(super) fn logged(&mut self, bytes: u64) {
        self.logged += bytes;
    }

    pub(super) fn applied(&mut self, bytes: u64) {
        self.applied += bytes;
        self.logged = self.logged.max(self.applied);
    }

    /// Entries left the log again.
    pub(super) fn truncated(&mut self) {
        self.logged = self.applied;
    }

    pub(super) fn begun(&mut self, position: EntryId) {
        self.last_begin = self.applied;
        self.making = Some(Making {
            position,
            applied: self.applied,
            uncovered: self.applied - self.covered,
            read: 0,
        });
    }

    pub(super) fn read(&mut self, bytes: u64) {
        if let Some(making) = &mut self.making {
            making.read += bytes;
        }
    }

    /// The rows are read; the file is not durable yet.
    pub(super) fn finished(&mut self, bytes: u64) {
        self.expected = bytes;
    }

    pub(super) fn durable(&mut self, position: EntryId) {
        if let Some(making) = self.making
            && making.position.lsn <= position.lsn
        {
            self.covered = making.applied;
            self.making = None;
            self.failing = false;
        }
    }

    /// The snapshot could not be stored. It holds nobody up any more.
    pub(super) const fn failed(&mut self) {
        self.making = None;
        self.failing = true;
    }

    /// Whether enough was applied since the last snapshot, which is durable, to make a new one.
    pub(super) fn is_due(&self, options: &KeyspaceOptions) -> bool {
        self.making.is_none() && self.applied - self.last_begin >= distance(options)
    }

    /// Whether to take in no writes after another `admitted` bytes, until a checkpoint has come
    /// further. What was logged already is not stopped, so that it can be applied and covered.
    pub(super) fn holds_writes(&self, options: &KeyspaceOptions, admitted: u64) -> bool {
        self.is_beyond(options, self.logged - self.covered + admitted)
    }

    /// Whether to acknowledge nothing to a leader until a checkpoint has come further. What was not
    /// applied does not count: only acknowledgements get it applied.
    pub(super) fn holds_acks(&self, options: &KeyspaceOptions) -> bool {
        self.is_beyond(options, self.applied - self.covered)
    }

    fn is_beyond(&self, options: &KeyspaceOptions, uncovered: u64) -> bool {
        let retention = options.log_retention_bytes;
        if retention < RETENTION_BYTES_MIN || self.failing {
            return false;
        }
        let limit = (retention / 8 * 5).saturating_sub(IN_FLIGHT_BYTES);
        let limit = limit.max(retention / 2).max(distance(options));
        let (begun, read) = match &self.making {
            Some(making) => (making.uncovered, making.read),
            None => (distance(options), 0),
        };
        let steps = match self.expected {
            _ if self.making.is_none() => 0,
            0 => STEPS,
            expected => (STEPS * read / expected).min(STEPS),
        };
        // A quarter at once, the rest in step.
        let room = limit.saturating_sub(begun);
        uncovered >= begun + room / 4 + room / 4 * 3 / STEPS * steps
    }
}

/// Bytes from the beginning of one checkpoint to that of the next.
fn distance(options: &KeyspaceOptions) -> u64 {
    let retention = options.log_retention_bytes;
    let half = (retention / 2).saturating_sub(WRITTEN_MEANWHILE_BYTES);
    let early = half.max(retention / 4).max(RETENTION_BYTES_MIN);
    options.checkpoint_bytes.min(early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LeaderEpoch, Lsn};

    const MIB: u64 = 1 << 20;

    fn options(retention: u64, checkpoint: u64) -> KeyspaceOptions {
        KeyspaceOptions {
            log_retention_bytes: retention,
            checkpoint_bytes: checkpoint,
            ..KeyspaceOptions::default()
        }
    }

    fn at(lsn: u64) -> EntryId {
        EntryId::new(LeaderEpoch(1), Lsn(lsn))
    }

    #[test]
    fn a_small_retention_asks_for_earlier_checkpoints() {
        assert_eq!(distance(&options(1 << 30, 512 * MIB)), 448 * MIB);
        assert_eq!(distance(&options(16 * MIB, 512 * MIB)), 4 * MIB);
        assert_eq!(distance(&options(16 * MIB, 3 * MIB)), 3 * MIB);
        assert_eq!(distance(&options(0, 512 * MIB)), MIB);
    }

    #[test]
    fn writes_get_room_in_step_with_the_snapshot() {
        let options = options(16 * MIB, 512 * MIB);
        let mut pace = Pace {
            expected: 100,
            ..Pace::default()
        };
        pace.applied(4 * MIB);
        assert!(pace.is_due(&options));
        pace.begun(at(1));
        assert!(!pace.holds_writes(&options, 0));
        pace.logged(MIB);
        assert!(pace.holds_writes(&options, 0), "a quarter of the room");
        pace.read(50);
        assert!(!pace.holds_writes(&options, 0));
        assert!(pace.holds_writes(&options, 2 * MIB));
        pace.read(50);
        assert!(!pace.holds_writes(&options, 2 * MIB));
        assert!(pace.holds_writes(&options, 3 * MIB), "half the retention");
        pace.durable(at(1));
        assert!(!pace.holds_writes(&options, 3 * MIB));
    }

    #[test]
    fn entries_that_only_an_acknowledgement_gets_applied_hold_none_up() {
        let options = options(8 * MIB, 512 * MIB);
        let mut pace = Pace::default();
        pace.logged(100 * MIB);
        assert!(pace.holds_writes(&options, 0));
        assert!(!pace.holds_acks(&options));
        pace.applied(3 * MIB);
        assert!(pace.holds_acks(&options) && pace.is_due(&options));
    }

    #[test]
    fn a_disk_that_takes_no_snapshot_holds_nobody_up() {
        let options = options(8 * MIB, 512 * MIB);
        let mut pace = Pace::default();
        pace.applied(100 * MIB);
        pace.begun(at(1));
        assert!(pace.holds_writes(&options, 0));
        pace.failed();
        assert!(!pace.holds_writes(&options, 0));
        pace.applied(2 * MIB);
        assert!(pace.is_due(&options));
    }
}
