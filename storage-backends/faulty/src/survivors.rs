//! Which unsynced bytes outlive a power loss.

use std::collections::BTreeSet;

use repertoire_segment_log::Unsynced;

use crate::random::Random;

/// A rule for what persists of what was not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing.
    None,
    /// Everything: a process was killed, the machine went on.
    All,
    /// Whole pages and names by the toss of a coin.
    RandomPages {
        /// Seed of the coin.
        seed: u64,
    },
    /// Single sectors, and names, by the toss of a coin.
    RandomSectors {
        /// Seed of the coin.
        seed: u64,
    },
    /// All names, and the pages with these indexes in the list of unsynced pages.
    Pages(BTreeSet<usize>),
}

impl Survivors {
    /// The rule as a function, to be asked about one unsynced thing after the other.
    pub fn into_rule(self) -> Box<dyn FnMut(&Unsynced) -> u8> {
        const KEEP: u8 = u8::MAX;
        match self {
            Self::None => Box::new(|_| 0),
            Self::All => Box::new(|_| KEEP),
            Self::RandomPages { seed } => {
                let mut random = Random::new(seed);
                Box::new(move |_| if random.below(2) == 0 { 0 } else { KEEP })
            }
            Self::RandomSectors { seed } => {
                let mut random = Random::new(seed);
                Box::new(move |unsynced| match unsynced {
                    Unsynced::Page { .. } => random.bits(),
                    Unsynced::Name(_) => random.bits() & 1,
                })
            }
            Self::Pages(chosen) => {
                let mut index = 0;
                Box::new(move |unsynced| match unsynced {
                    Unsynced::Name(_) => KEEP,
                    Unsynced::Page { .. } => {
                        index += 1;
                        if chosen.contains(&(index - 1)) {
                            KEEP
                        } else {
                            0
                        }
                    }
                })
            }
        }
    }
}
