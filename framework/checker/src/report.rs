//! What every checker hands back: violations with stable names, and how much was looked at.

use std::error::Error;
use std::fmt;

/// Stable names of the invariants, so that tests, dashboards and documents cite the same thing.
///
/// A protocol that promises the same fact under another name renames it with
/// [`Report::relabel`](super::Report::relabel).
pub mod invariant {
    /// An acknowledged write is as durable as its acknowledgement said.
    pub const DURABLE_ACK: &str = "A1";
    /// Nothing is visible that no client issued, or that was certainly refused.
    pub const NO_PHANTOM: &str = "A2";
    /// An acknowledged write never disappears without a record that says so.
    pub const NO_SILENT_DISCARD: &str = "SL4";
    /// Operations on one key take effect at one instant between invocation and return.
    pub const LINEARIZABLE: &str = "SL6";
    /// A session sees its own writes.
    pub const READ_YOUR_WRITES: &str = "SL7.read-your-writes";
    /// A session never sees a key go back in time.
    pub const MONOTONIC_READS: &str = "SL7.monotonic-reads";
    /// The writes of a session are ordered as it made them.
    pub const MONOTONIC_WRITES: &str = "SL7.monotonic-writes";
    /// A write is ordered after what its session had read.
    pub const WRITES_FOLLOW_READS: &str = "SL7.writes-follow-reads";
    /// A replica shows the state after some prefix of the order.
    pub const CONSISTENT_PREFIX: &str = "SL7.consistent-prefix";
    /// A request takes effect at most once.
    pub const AT_MOST_ONCE: &str = "SL10";
    /// Replicas that received the same operations hold the same state.
    pub const CONVERGENCE: &str = "ML1";
    /// The checker could not decide; callers must count it as a failure.
    pub const INCONCLUSIVE: &str = "INCONCLUSIVE";
}

/// One broken promise. Its [`Display`](fmt::Display) is always a single line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Stable name of the promise, one of [`invariant`].
    pub invariant: &'static str,
    /// Which operations, values or replicas broke it, in words.
    pub detail: String,
}

impl Violation {
    /// Makes a violation of `invariant`.
    pub fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self {
            invariant,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.invariant)?;
        // Names given by callers may hold line breaks, which would forge lines in a log.
        for character in self.detail.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// The outcome of a check: the violations found, and the number of facts examined.
///
/// ```
/// use repertoire_checker::{Report, Violation, invariant};
///
/// let mut report = Report::examined(12);
/// report.add(Violation::new(invariant::NO_PHANTOM, "w7 is visible on \"k\""));
/// assert!(!report.is_clean());
/// assert_eq!(report.to_string(), "1 violation in 12 facts\nA2: w7 is visible on \"k\"");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an unread report is a test that cannot fail"]
pub struct Report {
    /// What was broken, in a deterministic order.
    pub violations: Vec<Violation>,
    /// Facts examined: operations, reads, writes or replicas, as each checker documents. A clean
    /// report of very few facts means that the run was idle, not that the system is right.
    pub checked: u64,
}

impl Report {
    /// A clean report of `checked` facts.
    pub fn examined(checked: usize) -> Self {
        Self {
            violations: Vec::new(),
            checked: u64::try_from(checked).unwrap_or(u64::MAX),
        }
    }

    /// Whether nothing is broken and nothing was left undecided.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds one violation.
    pub fn add(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Adds everything that `other` found and examined.
    pub fn merge(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.checked = self.checked.saturating_add(other.checked);
    }

    /// Renames the violations of invariant `from` to `to`, for a protocol that makes the same
    /// promise under another name.
    pub fn relabel(mut self, from: &str, to: &'static str) -> Self {
        for violation in self.violations.iter_mut().filter(|v| v.invariant == from) {
            violation.invariant = to;
        }
        self
    }

    /// The number of facts examined when the report is clean.
    ///
    /// # Errors
    /// The report itself when anything is broken or undecided.
    pub fn into_result(self) -> Result<u64, Self> {
        if self.is_clean() {
            Ok(self.checked)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.violations.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} violation{plural} in {} facts", self.checked)?;
        self.violations
            .iter()
            .try_for_each(|violation| write!(f, "\n{violation}"))
    }
}

impl Error for Report {}

/// Shows a key as quoted, escaped ASCII.
pub(crate) struct KeyName<'a>(pub(crate) &'a [u8]);

impl fmt::Display for KeyName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
