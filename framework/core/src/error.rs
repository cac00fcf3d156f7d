//! Errors that say what happened, where, whether the write may still happen, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::NodeId;

mod kind;

pub use kind::ErrorKind;

/// Whether a failed write may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteOutcome {
    /// Certainly not applied, now or later. (For reads: there was nothing to apply.)
    NotApplied,
    /// May have been applied, or may yet be. Ask again under the same request id.
    Unknown,
}

/// What the caller should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// Never: the same request fails again.
    No,
    /// Under the same request id, after a pause with jitter.
    SameRequest,
    /// Under the same request id, at another node.
    Elsewhere,
}

/// Longest list of context pairs an error carries.
const CONTEXT_MAX: usize = 8;

/// A failure. Its [`kind`](Error::kind) decides the advice; the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    kind: ErrorKind,
    outcome: WriteOutcome,
    operation: String,
    context: Vec<(String, String)>,
}

impl Error {
    /// A failure of `operation`, certainly not applied unless the kind says otherwise.
    ///
    /// ```
    /// use repertoire_core::{Error, ErrorKind, Retry};
    /// let error = Error::new(ErrorKind::Overloaded, "put").with("stage", "inbox");
    /// assert_eq!(error.retry(), Retry::SameRequest);
    /// assert_eq!(error.code(), "RPT-0008");
    /// ```
    pub fn new(kind: ErrorKind, operation: impl Into<String>) -> Self {
        let outcome = kind.default_outcome();
        Self {
            kind,
            outcome,
            operation: operation.into(),
            context: Vec::new(),
        }
    }

    /// Adds a fact: what, where, how much. Facts beyond the eighth are dropped.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        if self.context.len() < CONTEXT_MAX {
            self.context.push((name.into(), value.to_string()));
        }
        self
    }

    /// Overrides whether the write may still happen.
    #[must_use]
    pub const fn with_outcome(mut self, outcome: WriteOutcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// What went wrong.
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The stable code, with a page in the book's reference.
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// Whether the write may still happen.
    pub const fn outcome(&self) -> WriteOutcome {
        self.outcome
    }

    /// What to do next.
    pub const fn retry(&self) -> Retry {
        self.kind.retry()
    }

    /// What was being done.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Facts about the failure.
    pub fn context(&self) -> &[(String, String)] {
        &self.context
    }

    /// A request that does not decode: `TooLarge` where a field is longer than its cap, `Malformed`
    /// otherwise.
    pub fn undecodable(operation: &str, why: &crate::DecodeError) -> Self {
        let kind = match why {
            crate::DecodeError::TooLong { len, max, .. } => ErrorKind::TooLarge {
                len: *len,
                max: *max,
            },
            crate::DecodeError::Truncated { .. }
            | crate::DecodeError::Invalid { .. }
            | crate::DecodeError::Trailing { .. }
            | crate::DecodeError::Head => ErrorKind::Malformed,
        };
        Self::new(kind, operation).with("detail", why)
    }

    /// Shorthand for a redirect.
    pub fn not_leader(hint: Option<NodeId>, operation: &str) -> Self {
        Self::new(ErrorKind::NotLeader { hint }, operation)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} [{}] during {}",
            self.kind,
            self.kind.code(),
            self.operation
        )?;
        for (name, value) in &self.context {
            write!(f, ", {name}={}", value.escape_debug())?;
        }
        if self.outcome == WriteOutcome::Unknown {
            f.write_str("; the write may still happen")?;
        }
        write!(f, "; {}", self.kind.advice())
    }
}

impl std::error::Error for Error {}
