//! The decorator.

use std::time::Duration;

use repertoire_segment_log::{Disk, DiskError, DiskErrorKind, FileId, PowerLoss, Unsynced};

use crate::random::Random;
use crate::{Fault, Odds, Survivors};

/// The kinds of operations that faults tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Write,
    Allocate,
    Sync,
    Read,
    /// Renaming and removing.
    Name,
}

/// A fault that waits for its operation.
#[derive(Clone, Debug)]
struct Waiting {
    fault: Fault,
    /// Operations of its kind still to come, its own included.
    left: u64,
}

/// A disk that lies, breaks and loses power, on order or by chance.
///
/// After a torn write or a power failure every operation fails until [`crash`](Self::crash) or
/// [`power_on`](Self::power_on).
#[derive(Clone, Debug)]
pub struct FaultyDisk<D> {
    inner: D,
    waiting: Vec<Waiting>,
    struck: Vec<Fault>,
    odds: Odds,
    random: Random,
    off: bool,
    delay: Duration,
    operations: u64,
}

impl<D> FaultyDisk<D> {
    /// A disk without faults so far.
    pub fn new(inner: D) -> Self {
        Self::seeded(inner, 0, Odds::default())
    }

    /// A disk whose operations fail by chance; the same seed gives the same faults.
    pub fn seeded(inner: D, seed: u64, odds: Odds) -> Self {
        Self {
            inner,
            waiting: Vec::new(),
            struck: Vec::new(),
            odds,
            random: Random::new(seed),
            off: false,
            delay: Duration::ZERO,
            operations: 0,
        }
    }

    /// Orders a fault.
    pub fn inject(&mut self, fault: Fault) {
        let left = match fault {
            Fault::FailWrite { nth, .. }
            | Fault::FailAllocate { nth, .. }
            | Fault::FailSync { nth, .. }
            | Fault::FailRead { nth, .. }
            | Fault::TearWrite { nth, .. }
            | Fault::PowerOff { nth } => nth,
        };
        self.waiting.push(Waiting { fault, left });
    }

    /// Forgets all ordered faults and the odds.
    pub fn heal(&mut self) {
        self.waiting.clear();
        self.odds = Odds::default();
    }

    /// Sets how likely faults are from here on.
    pub fn set_odds(&mut self, odds: Odds) {
        self.odds = odds;
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Switches the power on again; what was written stays as it is.
    pub fn power_on(&mut self) {
        self.off = false;
    }

    /// How long the operations since the last call would have taken beyond the usual. Nothing
    /// sleeps here: the simulator adds it to its clock.
    pub fn take_delay(&mut self) -> Duration {
        std::mem::take(&mut self.delay)
    }

    /// The ordered faults that happened since the last call, oldest first. Whoever drives the disk can
    /// so tell a user that failed for a reason from one that went on regardless.
    pub fn take_struck(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.struck)
    }

    /// Operations that changed or synced anything so far, failed ones included.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// The disk below.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// The disk below, past all faults.
    pub fn inner_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// Takes the decoration off.
    pub fn into_inner(self) -> D {
        self.inner
    }

    /// Counts an operation and answers the ordered fault that strikes it.
    fn strike(&mut self, operation: Operation) -> Option<Fault> {
        let changes = operation != Operation::Read;
        self.operations += u64::from(changes);
        let mut struck = None;
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            let concerned = match waiting.fault {
                Fault::FailWrite { .. } | Fault::TearWrite { .. } => operation == Operation::Write,
                Fault::FailAllocate { .. } => operation == Operation::Allocate,
                Fault::FailSync { .. } => operation == Operation::Sync,
                Fault::FailRead { .. } => operation == Operation::Read,
                Fault::PowerOff { .. } => changes,
            };
            if concerned {
                waiting.left = waiting.left.saturating_sub(1);
                if waiting.left == 0 && struck.is_none() {
                    struck = Some(index);
                }
            }
        }
        let fault = struck.map(|index| self.waiting.remove(index).fault);
        self.struck.extend(fault.clone());
        fault
    }

    /// Lets an operation fail or be late by chance.
    fn toss(&mut self, operation: Operation) -> Result<(), DiskError> {
        let odds = self.odds;
        let mut happens = |rate: u32| rate > 0 && self.random.below(1_000_000) < rate.into();
        let late = happens(odds.slow);
        let (rate, kind) = match operation {
            Operation::Write => (odds.write_failure, DiskErrorKind::Failed),
            Operation::Sync => (odds.sync_failure, DiskErrorKind::Failed),
            Operation::Allocate => (odds.full, DiskErrorKind::Full),
            Operation::Read => (odds.read_failure, DiskErrorKind::Failed),
            Operation::Name => (0, DiskErrorKind::Failed),
        };
        let fails = happens(rate);
        if late {
            let nanos = self.random.below(odds.delay_max_nanos + 1);
            self.delay += Duration::from_nanos(nanos);
        }
        if fails {
            return Err(DiskError::new(kind, "a fault by chance"));
        }
        Ok(())
    }

    fn check_power(&self) -> Result<(), DiskError> {
        if self.off {
            return Err(DiskError::new(DiskErrorKind::Failed, "the power is off"));
        }
        Ok(())
    }

    /// What every operation goes through first. `Ok(Some(keep))` means: write so much, then stop.
    fn begin(&mut self, operation: Operation) -> Result<Option<usize>, DiskError> {
        self.check_power()?;
        match self.strike(operation) {
            None => self.toss(operation).map(|()| None),
            Some(Fault::TearWrite { keep, .. }) => {
                self.off = true;
                Ok(Some(keep))
            }
            Some(Fault::PowerOff { .. }) => {
                self.off = true;
                Err(DiskError::new(DiskErrorKind::Failed, "the power failed"))
            }
            Some(
                Fault::FailWrite { kind, .. }
                | Fault::FailAllocate { kind, .. }
                | Fault::FailSync { kind, .. }
                | Fault::FailRead { kind, .. },
            ) => Err(DiskError::new(kind, "an ordered fault")),
        }
    }
}

impl<D: Disk> FaultyDisk<D> {
    /// Flips one bit of a file, durably, past all faults.
    ///
    /// # Errors
    /// When the file cannot be read or written there.
    pub fn flip_bit(&mut self, name: &str, offset: u64, bit: u8) -> Result<(), DiskError> {
        let file = self.inner.open(name)?;
        let mut byte = [0];
        self.inner.read_at(file, offset, &mut byte)?;
        let flipped = byte.map(|byte| byte ^ (1 << (bit & 7)));
        self.inner.write_at(file, offset, &flipped)?;
        self.inner.sync_data(file)
    }
}

impl<D: PowerLoss> FaultyDisk<D> {
    /// Loses power and gets it back: unsynced bytes persist as `survivors` says.
    pub fn crash(&mut self, survivors: Survivors) {
        self.inner.lose_power(&mut *survivors.into_rule());
        self.off = false;
    }
}

impl<D: PowerLoss> PowerLoss for FaultyDisk<D> {
    fn unsynced(&self) -> Vec<Unsynced> {
        self.inner.unsynced()
    }

    fn lose_power(&mut self, survives: &mut dyn FnMut(&Unsynced) -> u8) {
        self.inner.lose_power(survives);
        self.off = false;
    }
}

impl<D: Disk> Disk for FaultyDisk<D> {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.check_power()?;
        self.inner.list()
    }

    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.begin(Operation::Allocate)?;
        self.inner.create(name)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.check_power()?;
        self.inner.open(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.begin(Operation::Name)?;
        self.inner.rename(from, to)
    }

    fn remove(&mut self, name: &str, file: FileId) -> Result<(), DiskError> {
        self.begin(Operation::Name)?;
        self.inner.remove(name, file)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.check_power()?;
        self.inner.len(file)
    }

    fn allocate(&mut self, file: FileId, from: u64, len: u64) -> Result<(), DiskError> {
        self.begin(Operation::Allocate)?;
        self.inner.allocate(file, from, len)
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        match self.begin(Operation::Write)? {
            None => self.inner.write_at(file, offset, bytes),
            Some(keep) => {
                let kept = bytes.get(..keep).unwrap_or(bytes);
                self.inner.write_at(file, offset, kept)?;
                Err(DiskError::new(DiskErrorKind::Failed, "the power failed"))
            }
        }
    }

    fn read_at(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.begin(Operation::Read)?;
        self.inner.read_at(file, offset, into)
    }

    fn sync_data(&mut self, file: FileId) -> Result<(), DiskError> {
        self.begin(Operation::Sync)?;
        self.inner.sync_data(file)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.begin(Operation::Sync)?;
        self.inner.sync_dir()
    }
}
