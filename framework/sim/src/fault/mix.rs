//! Which faults a run injects, and how often.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Declares the kinds once: the enum, its list, its names.
macro_rules! faults {
    ($($(#[$meta:meta])* $kind:ident $name:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Fault {
            $($(#[$meta])* $kind,)*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its stable name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

faults! {
    /// A message is lost.
    Drop "message-drop",
    /// A message arrives twice.
    Duplicate "message-duplicate",
    /// A message overtakes earlier ones.
    Reorder "message-reorder",
    /// A message takes a hundred times as long.
    Delay "message-delay",
    /// A message recorded long ago arrives again.
    Replay "message-replay",
    /// A path carries nothing for a while; what is on it arrives later.
    Clog "path-clog",
    /// The cluster falls into two parts.
    Partition "partition",
    /// One direction between two parts is cut.
    OneWay "partition-one-way",
    /// One node is cut off.
    Isolate "isolate",
    /// A link goes up and down several times.
    Flap "link-flap",
    /// A process dies; what it had written to the operating system survives.
    Crash "crash",
    /// All processes die at once.
    CrashAll "crash-all",
    /// A machine loses power; any subset of what was not synced survives.
    PowerLoss "power-loss",
    /// All machines lose power at once.
    PowerLossAll "power-loss-all",
    /// The disk answers nothing for a while.
    DiskStall "disk-stall",
    /// Every disk operation takes much longer.
    SlowDisk "disk-slow",
    /// The disk takes no more bytes for a while.
    DiskFull "disk-full",
    /// The engine takes much longer for each job.
    SlowEngine "engine-slow",
    /// A node stands still; its clocks go on.
    Pause "pause",
    /// A wall clock jumps.
    ClockJump "clock-jump",
    /// The receiver of a snapshot dies at a chunk boundary.
    ReceiverCrash "snapshot-receiver-crash",
    /// A request or a reply between a client and a node is lost.
    ClientLoss "client-loss",
}

/// How often each fault happens. Message faults are parts per million of all messages; the others
/// are events per thousand seconds of simulated time, over the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultMix {
    rates: Vec<u32>,
}

/// What a rate is when it is drawn, at most; by kind.
const fn ceiling(kind: Fault) -> u32 {
    match kind {
        Fault::Drop | Fault::Duplicate => 100_000,
        Fault::Reorder => 200_000,
        Fault::Delay => 30_000,
        Fault::Replay => 20_000,
        Fault::ClientLoss => 50_000,
        Fault::Clog
        | Fault::Flap
        | Fault::Crash
        | Fault::PowerLoss
        | Fault::DiskStall
        | Fault::SlowDisk
        | Fault::SlowEngine
        | Fault::Pause => 1_500,
        Fault::ClockJump => 1_000,
        Fault::Partition | Fault::OneWay | Fault::Isolate => 800,
        Fault::CrashAll | Fault::PowerLossAll | Fault::DiskFull => 500,
        Fault::ReceiverCrash => 300_000,
    }
}

impl FaultMix {
    /// No faults at all.
    pub fn none() -> Self {
        Self {
            rates: vec![0; Fault::ALL.len()],
        }
    }

    /// A draw for one seed: each kind is off with even chance, else its rate is anything up to its
    /// ceiling. Runs that differ in *which* faults meet find more than runs with all of them.
    pub fn swarm(rng: &mut Rng) -> Self {
        let mut mix = Self::none();
        for kind in Fault::ALL {
            let (on, level) = (rng.one_in(2), rng.between(50, 1000));
            if on {
                let rate = u64::from(ceiling(*kind)) * level / 1000;
                mix.set(*kind, rate as u32);
            }
        }
        mix
    }

    /// The rate of a kind.
    #[inline]
    pub fn rate(&self, kind: Fault) -> u32 {
        self.rates.get(kind as usize).copied().unwrap_or_default()
    }

    /// Sets the rate of a kind.
    pub fn set(&mut self, kind: Fault, rate: u32) {
        if let Some(place) = self.rates.get_mut(kind as usize) {
            *place = rate;
        }
    }

    /// The same mix without some kinds.
    #[must_use]
    pub fn without(mut self, kinds: &[Fault]) -> Self {
        for kind in kinds {
            self.set(*kind, 0);
        }
        self
    }
}

/// How often each fault was injected.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultTally {
    counts: [u64; Fault::ALL.len()],
}

impl FaultTally {
    #[inline]
    pub(crate) fn count(&mut self, kind: Fault) {
        self.counts[kind as usize] += 1;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL
            .iter()
            .map(|kind| (*kind, self.counts[*kind as usize]))
    }
}
