//! Linearizability of any sequential object, by exhaustive search.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", Journal of
//! Parallel and Distributed Computing, 1993) with the memory of visited (operations done, state)
//! pairs of Lowe ("Testing for Linearizability", Concurrency and Computation, 2017). The problem
//! is NP-complete: [`Limits`] bound the search, and a search that hits one is
//! [`Verdict::Inconclusive`], which is a failure of the test and never a pass.
//!
//! Linearizability is local (Herlihy and Wing 1990), so keys are searched one by one. Use
//! [`register`](crate::register) for plain registers: it decides millions of operations at once.

mod bits;
pub mod models;
mod search;

use std::fmt;

use crate::history::{History, OpId, OpKind, Operation, Outcome};
use crate::report::{KeyName, Report, Violation, invariant};

pub use models::{CasRegister, Counter, Register};

/// A sequential object: what one operation at a time does to a state.
///
/// # Contract
/// `step` is a function of its arguments alone. An operation for which `is_read_only` holds never
/// changes a state.
pub trait Model {
    /// An operation with what it asked for and what it saw.
    type Op;
    /// The state of the object. Keep it small: the search remembers each one it visits.
    type State: Clone + Ord;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Whether the model knows this sort of operation. The check is inconclusive when it does not.
    fn accepts(&self, _op: &Self::Op) -> bool {
        true
    }

    /// Whether `op` never changes a state. Saying so spares the search many orders: such an
    /// operation is put in the order as soon as it fits.
    fn is_read_only(&self, _op: &Self::Op) -> bool {
        false
    }

    /// The state after `op` took effect on `state`, or `None` if `op` cannot have seen what it
    /// saw. Without an answer (`is_answered` false) whatever `op` says it saw means nothing.
    fn step(&self, state: &Self::State, op: &Self::Op, is_answered: bool) -> Option<Self::State>;
}

/// One operation and when it ran.
#[derive(Debug)]
pub struct Call<'a, Op> {
    /// Its number, for the report.
    pub id: OpId,
    /// When it was sent, in nanoseconds.
    pub invoked_ns: u64,
    /// When it was answered, in nanoseconds; `None` when the outcome is unknown, so that it may
    /// take effect at any later time or never.
    pub returned_ns: Option<u64>,
    /// What it asked for and saw.
    pub op: &'a Op,
}

// Derived, these would demand a `Clone` and `Copy` operation behind the reference.
impl<Op> Clone for Call<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Call<'_, Op> {}

/// Bounds of one search, per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls that are searched.
    pub calls_max: usize,
    /// Most (operations done, state) pairs that are visited.
    pub visits_max: usize,
}

impl Default for Limits {
    /// 1 000 calls and 500 000 visits: seconds, and some 100 MB, in the worst case.
    fn default() -> Self {
        Self {
            calls_max: 1_000,
            visits_max: 500_000,
        }
    }
}

/// Why a search decided nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconclusive {
    /// More calls than [`Limits::calls_max`].
    #[error("{calls} operations are more than the {calls_max} that are searched")]
    TooManyCalls {
        /// How many there are.
        calls: usize,
        /// The limit.
        calls_max: usize,
    },
    /// More visits than [`Limits::visits_max`].
    #[error("gave up after {visits_max} visited states")]
    TooManyVisits {
        /// The limit.
        visits_max: usize,
    },
    /// The model does not know one of the operations.
    #[error("{0} is not an operation of this model")]
    UnknownOperation(OpId),
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an unread verdict is a test that cannot fail"]
pub enum Verdict {
    /// Some order of the operations explains everything that was seen.
    Linearizable,
    /// No order does.
    NotLinearizable {
        /// Answered operations in the longest order that works.
        explained: usize,
        /// Answered operations in all.
        answered: usize,
        /// The operations that could come next after that order, none of which fits.
        stuck: Vec<OpId>,
    },
    /// Undecided. Treat it as a failure.
    Inconclusive(Inconclusive),
}

impl Verdict {
    /// The violation to report, if any; an undecided search is one.
    pub fn violation(&self) -> Option<Violation> {
        let invariant = match self {
            Self::Linearizable => return None,
            Self::NotLinearizable { .. } => invariant::LINEARIZABLE,
            Self::Inconclusive(_) => invariant::INCONCLUSIVE,
        };
        Some(Violation::new(invariant, self.to_string()))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::NotLinearizable {
                explained,
                answered,
                stuck,
            } => {
                write!(
                    f,
                    "no order explains all {answered} answered operations; the longest "
                )?;
                write!(f, "explains {explained}, then none of these fits: ")?;
                let stuck: Vec<_> = stuck.iter().map(OpId::to_string).collect();
                f.write_str(&stuck.join(", "))
            }
            Self::Inconclusive(reason) => write!(f, "{reason}"),
        }
    }
}

/// Checks every key of `history` against `model`. The facts counted are operations. Each key that
/// is not linearizable, or that is undecided, is one violation.
///
/// ```
/// use repertoire_checker::wgl::{self, Counter, Limits};
/// use repertoire_checker::{History, OpId, OpKind, Operation, SessionId, WriteId};
///
/// let mut history = History::new();
/// let add = OpKind::Increment { id: WriteId(1), by: 2, observed: None };
/// let read = OpKind::ReadCounter { observed: 3 };
/// history.push(Operation::new(OpId(1), SessionId(1), "hits", add, 10).ok(20))?;
/// history.push(Operation::new(OpId(2), SessionId(1), "hits", read, 30).ok(40))?;
///
/// let report = wgl::check(&Counter, &history, Limits::default());
/// assert_eq!(report.violations[0].invariant, "SL6");
/// # Ok::<(), repertoire_checker::HistoryError>(())
/// ```
pub fn check<M: Model<Op = OpKind>>(model: &M, history: &History, limits: Limits) -> Report {
    let mut report = Report::examined(history.operations().len());
    for (key, operations) in history.by_key() {
        let calls: Vec<_> = operations.iter().filter_map(|op| call_of(op)).collect();
        if let Some(violation) = check_calls(model, &calls, limits).violation() {
            let detail = format!("key {}: {}", KeyName(key), violation.detail);
            report.add(Violation {
                detail,
                ..violation
            });
        }
    }
    report
}

/// The call for `operation`; `None` for those that changed and saw nothing: the refused ones, and
/// reads without an answer.
fn call_of(operation: &Operation) -> Option<Call<'_, OpKind>> {
    let is_silent_read = operation.outcome == Outcome::Unknown && operation.write_id().is_none();
    if operation.outcome == Outcome::Refused || is_silent_read {
        return None;
    }
    Some(Call {
        id: operation.id,
        invoked_ns: operation.invoked_ns,
        returned_ns: operation.finished_ns(),
        op: &operation.kind,
    })
}

/// Searches an order of `calls`, all on one object, that `model` explains.
pub fn check_calls<M: Model>(model: &M, calls: &[Call<'_, M::Op>], limits: Limits) -> Verdict {
    if let Some(call) = calls.iter().find(|call| !model.accepts(call.op)) {
        return Verdict::Inconclusive(Inconclusive::UnknownOperation(call.id));
    }
    if calls.len() > limits.calls_max {
        let Limits { calls_max, .. } = limits;
        return Verdict::Inconclusive(Inconclusive::TooManyCalls {
            calls: calls.len(),
            calls_max,
        });
    }
    search::Search::new(model, calls, limits.visits_max).run()
}
