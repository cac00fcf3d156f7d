//! Which frames suffer, and how.

use std::time::Duration;

use repertoire_core::{Class, NodeId};

/// How often frames suffer. The default harms nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Decides every fate.
    pub seed: u64,
    /// Of a thousand frames, this many vanish.
    pub drop_per_mille: u16,
    /// Of a thousand frames, this many arrive twice.
    pub duplicate_per_mille: u16,
    /// Of a thousand frames, this many are held back, and with them what follows.
    pub delay_per_mille: u16,
    /// The longest that a frame is held back.
    pub delay_max: Duration,
}

/// Which way of a link is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What this node sends.
    Out,
    /// What this node receives.
    In,
    /// Both.
    Both,
}

impl Direction {
    pub(crate) const fn is_out(self) -> bool {
        matches!(self, Self::Out | Self::Both)
    }

    pub(crate) const fn is_in(self) -> bool {
        matches!(self, Self::In | Self::Both)
    }
}

/// What has been done to frames so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Vanished by the plan.
    pub dropped: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back.
    pub delayed: u64,
    /// Vanished because a way was cut.
    pub cut: u64,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    Drop,
    Twice,
    Late(Duration),
}

impl FaultPlan {
    /// What becomes of the `n`-th frame to a peer in a class.
    pub(crate) fn fate(&self, to: NodeId, class: Class, n: u64) -> Fate {
        let stream = self.seed ^ mix(to.0) ^ mix(0x0c1a_5500 + class as u64);
        let random = mix(stream.wrapping_add(mix(n)));
        let draw = random % 1000;
        let dropped = u64::from(self.drop_per_mille);
        let twice = dropped + u64::from(self.duplicate_per_mille);
        let late = twice + u64::from(self.delay_per_mille);
        if draw < dropped {
            Fate::Drop
        } else if draw < twice {
            Fate::Twice
        } else if draw < late {
            let part = u32::try_from(mix(random) % 1024).unwrap_or(0);
            Fate::Late(self.delay_max * part / 1023)
        } else {
            Fate::Pass
        }
    }
}

/// A step of splitmix64.
const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repertoire_core::{Class, NodeId};

    use super::{Fate, FaultPlan};

    #[test]
    fn fates_follow_the_seed_and_the_rates() {
        let plan = |seed| FaultPlan {
            seed,
            drop_per_mille: 100,
            duplicate_per_mille: 200,
            delay_per_mille: 300,
            delay_max: Duration::from_millis(5),
        };
        let fates = |seed| -> Vec<Fate> {
            (0..10_000)
                .map(|n| plan(seed).fate(NodeId(2), Class::Bulk, n))
                .collect()
        };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
        let of = |wanted: fn(&Fate) -> bool| fates(7).iter().filter(|fate| wanted(fate)).count();
        assert!((800..1200).contains(&of(|fate| *fate == Fate::Drop)));
        assert!((1700..2300).contains(&of(|fate| *fate == Fate::Twice)));
        assert!((2600..3400).contains(&of(|fate| matches!(fate, Fate::Late(_)))));
        let most = Duration::from_millis(5);
        assert!(
            fates(7)
                .iter()
                .all(|fate| !matches!(fate, Fate::Late(by) if *by > most))
        );
    }
}
