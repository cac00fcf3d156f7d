//! Looking for planted bugs: how many seeds does it take until something general notices?

use repertoire_core::sabotage::{Bug, plant};

use crate::config::{RunConfig, STEPS_DEFAULT, SUBJECTS};
use crate::report::Violation;
use crate::run::run;
use crate::{Fault, Machinery};

/// A hunt for one planted bug.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What is planted.
    pub bug: Bug,
    /// The first seed.
    pub seed: u64,
    /// Seeds after which the bug counts as escaped.
    pub budget: u64,
    /// Steps of a seed.
    pub steps: u64,
    /// Fault kinds that are left out.
    pub without: Vec<Fault>,
    /// Whether replicas elect their leaders where they can; drawn when absent.
    pub elections: Option<bool>,
    /// Whether members come and go; drawn when absent.
    pub membership: Option<bool>,
}

impl Hunt {
    /// A hunt from `seed` on with every fault, with elected leaders alone where the bug concerns them.
    pub const fn new(bug: Bug, seed: u64, budget: u64) -> Self {
        Self {
            bug,
            seed,
            budget,
            steps: STEPS_DEFAULT / 2,
            without: Vec::new(),
            membership: Some(bug.concerns_members()),
            elections: if bug.concerns_elections() {
                Some(true)
            } else {
                None
            },
        }
    }

    /// Runs seed after seed with the bug planted until an invariant is broken. Returns how many
    /// seeds it took, and what was found; `None` when the bug escaped.
    pub fn run(&self) -> Option<(u64, Violation)> {
        plant(&[self.bug]);
        let found = (0..self.budget).find_map(|tried| {
            let seed = self.seed.wrapping_add(tried);
            // One seed in eight goes to the protocol without copies.
            let subject = &SUBJECTS[usize::from(tried % 8 == 7)];
            let mut config = RunConfig::new(subject.name, seed).with_steps(self.steps);
            config = config.with_machinery(Machinery::Typed);
            config.without.clone_from(&self.without);
            config.elections = self.elections;
            // Other bugs are hunted where replicas elect by themselves, which is where they show.
            config.appoints = matches!(self.bug, Bug::AppointedElect | Bug::PromotionIgnoresLogs);
            config.membership = self.membership;
            let violation = run(&config).violations.into_iter().next()?;
            Some((tried + 1, violation))
        });
        plant(&[]);
        found
    }
}
