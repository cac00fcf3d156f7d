//! What a check has found: problems, and where each good value came from.

use std::collections::BTreeMap;

use crate::error::{ConfigError, Origin};
use crate::kind::Complaint;
use crate::tree::Tree;

/// Most problems reported at once: nobody reads more, and a hostile file could cause millions.
const PROBLEMS_MAX: usize = 100;

/// What a check has found.
#[derive(Debug)]
pub(crate) struct Findings {
    problems: Vec<ConfigError>,
    origins: BTreeMap<String, Origin>,
    /// Where a missing value should be written.
    home: Origin,
}

impl Findings {
    /// Nothing found yet; `home` is where missing values should be.
    pub(crate) const fn new(home: Origin) -> Self {
        Self {
            problems: Vec::new(),
            origins: BTreeMap::new(),
            home,
        }
    }

    /// Remembers where the value of `key` came from.
    pub(crate) fn note_origin(&mut self, key: &str, tree: &Tree) {
        self.origins
            .insert(key.to_owned(), tree.source.origin.clone());
    }

    /// Reports a wrong value.
    pub(crate) fn complain(&mut self, key: &str, tree: &Tree, complaint: Complaint) {
        let Complaint { reason, remedy } = complaint;
        let origin = tree.source.origin.clone();
        self.push(ConfigError::new(origin, key, reason, remedy).with_value(tree.shown(key)));
    }

    /// Reports a missing value.
    pub(crate) fn miss(&mut self, key: &str, reason: impl Into<String>, remedy: impl Into<String>) {
        let home = self.home.clone();
        self.push(ConfigError::new(home, key, reason, remedy));
    }

    /// Reports a problem.
    pub(crate) fn push(&mut self, problem: ConfigError) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    /// Whether nothing is wrong so far.
    pub(crate) const fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems, and the origins of good values by their keys.
    pub(crate) fn into_parts(self) -> (Vec<ConfigError>, BTreeMap<String, Origin>) {
        (self.problems, self.origins)
    }
}
