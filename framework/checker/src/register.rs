//! Linearizability of single registers, in O(n log n), by the zones of Gibbons and Korach
//! ("Testing Shared Memories", SIAM Journal on Computing, 1997).
//!
//! It needs every write to have a unique name. The operations on one value form a *cluster*: its
//! write and the reads that saw it. Let `f` be the earliest return in the cluster and `s` its
//! latest invocation. When `f < s` the register must hold the value from `f` to `s` (a *forward*
//! zone); otherwise all its operations overlap, and the value may come and go at one instant
//! between `s` and `f` (a *backward* zone). The key is linearizable exactly when no value is read
//! before it is written, no two forward zones overlap, and no backward zone lies inside a forward
//! one.
//!
//! Refused operations and unanswered reads are dropped; a write of unknown outcome never returns,
//! and is dropped if nobody saw it.

mod cluster;

use std::fmt;

use crate::history::{History, OpId, Operation, WriteId};
use crate::report::{KeyName, Report, Violation, invariant};
use cluster::{accesses, clusters};

/// A point in the time of a run. A value that nobody overwrote lasts from
/// [`Beginning`](Self::Beginning); a write of unknown outcome returns at [`Never`](Self::Never).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the first operation.
    Beginning,
    /// At this many nanoseconds of the history's clock.
    At(u64),
    /// After the last operation.
    Never,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("the beginning"),
            Self::At(ns) => write!(f, "{ns} ns"),
            Self::Never => f.write_str("the end"),
        }
    }
}

/// When one value must, or may, have been in the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The value; `None` for the initial one.
    pub value: Option<WriteId>,
    /// The earliest return of an operation on the value.
    pub first_return: Moment,
    /// The operation that returned then; `None` for the start of an unwritten key.
    pub first_return_op: Option<OpId>,
    /// The latest invocation of an operation on the value.
    pub last_invoke: Moment,
    /// The operation invoked then; `None` for the start of an unwritten key.
    pub last_invoke_op: Option<OpId>,
}

impl Zone {
    /// Whether the register must hold the value from the first return to the last invocation.
    pub fn is_forward(&self) -> bool {
        self.first_return < self.last_invoke
    }
}

/// Shows a value, the initial one included.
struct Value(Option<WriteId>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "value {id}"),
            None => f.write_str("the initial value"),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |op: Option<OpId>| op.map_or_else(|| "the start".to_owned(), |id| id.to_string());
        let (first, last) = (name(self.first_return_op), name(self.last_invoke_op));
        let Self {
            value,
            first_return,
            last_invoke,
            ..
        } = self;
        let value = Value(*value);
        if self.is_forward() {
            write!(f, "{value} held from {first_return} ({first} done) ")?;
            write!(f, "to {last_invoke} ({last} sent)")
        } else {
            write!(
                f,
                "{value} set and gone between {last_invoke} ({last} sent) "
            )?;
            write!(f, "and {first_return} ({first} done)")
        }
    }
}

/// Why the operations on one key are not those of a linearizable register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterFault {
    /// A read saw a value that no operation on this key wrote.
    #[error("{read} saw {value}, which nobody wrote to this key")]
    Phantom {
        /// The read.
        read: OpId,
        /// What it saw.
        value: WriteId,
    },
    /// A read saw a value whose write was refused, hence promised never to happen.
    #[error("{read} saw {value}, but its write {write} was refused")]
    RefusedWriteSeen {
        /// The read.
        read: OpId,
        /// The refused write.
        write: OpId,
        /// What was seen.
        value: WriteId,
    },
    /// A read returned before its value's write was sent.
    #[error("{read} saw {value} and returned before its write {write} was sent")]
    ReadFromFuture {
        /// The read.
        read: OpId,
        /// The write it saw.
        write: OpId,
        /// What was seen.
        value: WriteId,
    },
    /// Two values must be in the register at the same instant.
    #[error("two values at once: {0}; {1}")]
    Overlap(Box<Zone>, Box<Zone>),
    /// A value can only have been there while another one had to be.
    #[error("a value within another: {inner}; {outer}")]
    Enclosed {
        /// The backward zone.
        inner: Box<Zone>,
        /// The forward zone around it.
        outer: Box<Zone>,
    },
    /// The key has an operation that is neither a read, a write nor a delete; use
    /// [`wgl`](crate::wgl) for such keys.
    #[error("{op} is not an operation on a register, so nothing is decided")]
    Unsupported {
        /// The operation.
        op: OpId,
    },
}

impl RegisterFault {
    /// The stable name of the promise that is broken.
    pub fn invariant(&self) -> &'static str {
        match self {
            Self::Phantom { .. } | Self::RefusedWriteSeen { .. } => invariant::NO_PHANTOM,
            Self::ReadFromFuture { .. } | Self::Overlap(..) | Self::Enclosed { .. } => {
                invariant::LINEARIZABLE
            }
            Self::Unsupported { .. } => invariant::INCONCLUSIVE,
        }
    }
}

/// Checks that every key of `history` is a linearizable register; reports the first fault of each
/// key that is not. The facts counted are operations.
///
/// ```
/// use repertoire_checker::{History, OpId, OpKind, Operation, SessionId, WriteId, register};
///
/// let mut history = History::new();
/// let put = OpKind::Write { id: WriteId(1) };
/// let stale = OpKind::Read { observed: None };
/// history.push(Operation::new(OpId(1), SessionId(1), "k", put, 10).ok(20))?;
/// history.push(Operation::new(OpId(2), SessionId(2), "k", stale, 30).ok(40))?;
///
/// let report = register::check(&history);
/// assert_eq!(
///     report.violations[0].to_string(),
///     "SL6: key \"k\": a value within another: value w1 set and gone between 10 ns (op 1 sent) \
///      and 20 ns (op 1 done); the initial value held from the beginning (the start done) \
///      to 30 ns (op 2 sent)",
/// );
/// # Ok::<(), repertoire_checker::HistoryError>(())
/// ```
pub fn check(history: &History) -> Report {
    let mut report = Report::examined(history.operations().len());
    for (key, operations) in history.by_key() {
        if let Err(fault) = check_key(&operations) {
            let detail = format!("key {}: {fault}", KeyName(key));
            report.add(Violation::new(fault.invariant(), detail));
        }
    }
    report
}

/// Checks that `operations`, all on one key, are those of a linearizable register.
///
/// # Errors
/// The first [`RegisterFault`], the same one for the same operations in the same order.
pub fn check_key(operations: &[&Operation]) -> Result<(), RegisterFault> {
    let accesses = accesses(operations)?;
    let mut forward = Vec::new();
    let mut backward = Vec::new();
    for cluster in clusters(&accesses) {
        if let Some(zone) = cluster.zone()? {
            if zone.is_forward() {
                forward.push(zone);
            } else {
                backward.push(zone);
            }
        }
    }
    forward.sort_by_key(|zone| zone.first_return);
    // Sorted by start, so an overlap of any two shows up between two neighbours.
    for (earlier, later) in forward.iter().zip(forward.iter().skip(1)) {
        if later.first_return < earlier.last_invoke {
            return Err(RegisterFault::Overlap(Box::new(*earlier), Box::new(*later)));
        }
    }
    for inner in backward {
        // Forward zones are disjoint by now: only the last one that starts before can enclose.
        let starting_before =
            forward.partition_point(|outer| outer.first_return < inner.last_invoke);
        let outer = starting_before
            .checked_sub(1)
            .and_then(|last| forward.get(last));
        if let Some(outer) = outer.filter(|outer| inner.first_return < outer.last_invoke) {
            return Err(RegisterFault::Enclosed {
                inner: Box::new(inner),
                outer: Box::new(*outer),
            });
        }
    }
    Ok(())
}
