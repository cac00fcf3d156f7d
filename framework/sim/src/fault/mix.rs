//! Which faults a run injects, and how often.

use serde::{Deserialize, Serialize};

use super::kind::{Fault, Shape};
use crate::rng::Rng;

/// How often each fault happens. Faults of single messages are parts per million of all messages; the
/// others are events per thousand seconds of simulated time, over the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultMix {
    rates: Vec<u32>,
}

/// What a rate is when it is drawn, at most; by kind.
const fn ceiling(kind: Fault) -> u32 {
    match kind {
        Fault::Drop | Fault::Duplicate => 100_000,
        Fault::Reorder => 200_000,
        Fault::Partition | Fault::SlowDisk => 2_500,
        Fault::Clog | Fault::SlowEngine | Fault::Pause => 2_000,
        Fault::Crash | Fault::PowerLoss => 1_600,
        Fault::DiskFailure => 2_000,
        // Most of them strike where nothing was written yet, or a node that must not lose its log.
        Fault::BitRot => 8_000,
        Fault::ClockJump | Fault::DiskFull => 1_000,
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

    /// Whether a kind happens at all.
    #[inline]
    pub fn has(&self, kind: Fault) -> bool {
        self.rate(kind) > 0
    }

    /// Sets the rate of a kind.
    pub fn set(&mut self, kind: Fault, rate: u32) {
        if let Some(place) = self.rates.get_mut(kind as usize) {
            *place = rate;
        }
    }

    /// The same mix with some kinds so many times as often.
    #[must_use]
    pub fn times(mut self, kinds: &[Fault], factor: u32) -> Self {
        for kind in kinds {
            self.set(*kind, self.rate(*kind).saturating_mul(factor));
        }
        self
    }

    /// The same mix without some kinds.
    #[must_use]
    pub fn without(mut self, kinds: &[Fault]) -> Self {
        for kind in kinds {
            self.set(*kind, 0);
        }
        self
    }

    /// Parts per million of the messages concerned that this happens to; zero for shapes that strike by
    /// time.
    #[inline]
    pub(crate) fn per_message(&self, shape: Shape) -> u32 {
        let rate = self.rate(shape.kind());
        match shape {
            Shape::LostBetweenNodes | Shape::HeardSoon | Shape::Overtaken => rate,
            Shape::LostOfClient => rate / 2,
            Shape::HeardLate => rate / 5,
            Shape::OneStream => rate * 10,
            // Of the chunks of snapshots, of which there are few.
            Shape::SnapshotReceiver => rate * 100,
            _ => 0,
        }
    }
}

/// How often each fault was injected.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultTally {
    counts: [u64; Shape::ALL.len()],
}

impl FaultTally {
    #[inline]
    pub(crate) fn count(&mut self, shape: Shape) {
        self.counts[shape as usize] += 1;
    }

    /// Kinds by their names, and shapes by theirs where a kind has more than one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let count = |shape: &Shape| self.counts[*shape as usize];
        let of = |kind: Fault| Shape::ALL.iter().filter(move |shape| shape.kind() == kind);
        Fault::ALL.iter().flat_map(move |kind| {
            let total = of(*kind).map(count).sum();
            let parts = of(*kind).map(move |shape| (shape.name(), count(shape)));
            let is_plain = of(*kind).count() == 1;
            let parts = parts.skip(usize::from(is_plain));
            std::iter::once((kind.name(), total)).chain(parts)
        })
    }
}
