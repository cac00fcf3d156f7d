//! What must hold. One file per promise; each cites its id from the list of promises in the book:
//! `A` for all protocols, `SL` for single-leader.
//!
//! Cheap ones are checked as things happen, the others when the run has come to rest.

pub(crate) mod appointed;
pub(crate) mod at_most_once;
pub(crate) mod bounded;
pub(crate) mod compare_and_set;
pub(crate) mod convergence;
pub(crate) mod discarded;
pub(crate) mod durable_ack;
pub(crate) mod errors;
pub(crate) mod isolation;
pub(crate) mod ledger;
pub(crate) mod linearizable;
pub(crate) mod log_matching;
pub(crate) mod membership;
pub(crate) mod monotone;
pub(crate) mod one_leader;
pub(crate) mod order;
pub(crate) mod prefix_reads;
pub(crate) mod recovery;
pub(crate) mod sessions;
pub(crate) mod staleness;
pub(crate) mod state_machine;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its id.
    pub(crate) invariant: &'static str,
    pub(crate) detail: String,
}

/// Most findings kept of one run: what follows the first ones is usually their consequence.
const FINDINGS_MAX: usize = 4;

/// The broken promises of one run.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    /// Notes a broken promise; `detail` is put into words only when it is kept.
    #[cold]
    pub(crate) fn add(&mut self, invariant: &'static str, detail: impl FnOnce() -> String) {
        if self.found.len() < FINDINGS_MAX {
            let detail = detail();
            self.found.push(Finding { invariant, detail });
        }
    }

    /// Notes a broken promise unless `holds`.
    #[inline]
    pub(crate) fn require(
        &mut self,
        holds: bool,
        invariant: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        if !holds {
            self.add(invariant, detail);
        }
    }

    /// Takes over what a checker found.
    pub(crate) fn absorb(&mut self, report: repertoire_checker::Report) {
        for violation in report.violations {
            self.add(violation.invariant, || violation.detail);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}
