//! What the clients did and saw: the only input that the checkers trust.
//!
//! Times are nanoseconds of one clock shared by all clients. An operation precedes another when
//! its return time is strictly below the other's invocation; equal times count as concurrent, so
//! that a coarse clock never raises a false alarm.

mod operation;

use std::collections::{BTreeMap, BTreeSet};

pub use operation::{Fate, OpId, OpKind, Operation, Outcome, SessionId, WriteId};

/// Why an operation cannot be part of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Two operations have the same number.
    #[error("{0} is recorded twice")]
    DuplicateOp(OpId),
    /// Two operations carry the same write; a retry belongs to the operation it repeats.
    #[error("{op} issues {write}, which another operation issued")]
    DuplicateWrite {
        /// The second operation.
        op: OpId,
        /// The write they share.
        write: WriteId,
    },
    /// An operation with a definite outcome has no return time.
    #[error("{0} has an outcome but no return time")]
    MissingReturn(OpId),
    /// An operation returns before it is invoked.
    #[error("{0} returns before it is invoked")]
    ReturnBeforeInvoke(OpId),
    /// An operation that was not acknowledged has an acknowledgement level.
    #[error("{0} has an acknowledgement level but was not acknowledged")]
    AckWithoutOk(OpId),
}

/// The operations of all clients of one run.
///
/// ```
/// use repertoire_checker::{History, OpId, OpKind, Operation, SessionId, WriteId};
///
/// let mut history = History::new();
/// let put = OpKind::Write { id: WriteId(1) };
/// history.push(Operation::new(OpId(1), SessionId(1), "k", put, 10).ok(20).acked_at("sync"))?;
/// assert_eq!(history.operations().len(), 1);
/// # Ok::<(), repertoire_checker::HistoryError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    op_ids: BTreeSet<OpId>,
    write_ids: BTreeSet<WriteId>,
}

impl History {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation; their order does not matter to the checkers.
    ///
    /// # Errors
    /// [`HistoryError`] when it contradicts itself or an earlier operation; nothing is added.
    pub fn push(&mut self, operation: Operation) -> Result<(), HistoryError> {
        let id = operation.id;
        match (operation.outcome, operation.returned_ns) {
            (Outcome::Ok | Outcome::Refused, None) => return Err(HistoryError::MissingReturn(id)),
            (_, Some(returned_ns)) if returned_ns < operation.invoked_ns => {
                return Err(HistoryError::ReturnBeforeInvoke(id));
            }
            _ => {}
        }
        if operation.ack_level.is_some() && operation.outcome != Outcome::Ok {
            return Err(HistoryError::AckWithoutOk(id));
        }
        if !self.op_ids.insert(id) {
            return Err(HistoryError::DuplicateOp(id));
        }
        if let Some(write) = operation.write_id()
            && !self.write_ids.insert(write)
        {
            self.op_ids.remove(&id);
            return Err(HistoryError::DuplicateWrite { op: id, write });
        }
        self.operations.push(operation);
        Ok(())
    }

    /// The operations, in the order in which they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operations of each key.
    pub fn by_key(&self) -> BTreeMap<&[u8], Vec<&Operation>> {
        let mut keys: BTreeMap<&[u8], Vec<&Operation>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(&operation.key).or_default().push(operation);
        }
        keys
    }

    /// The part of the history for which `keep` holds, for a checker that handles one type of key.
    /// Keep or drop whole keys: without some of its writes, a key looks full of phantoms.
    pub fn filtered(&self, keep: impl Fn(&Operation) -> bool) -> Self {
        let operations: Vec<_> = self
            .operations
            .iter()
            .filter(|op| keep(op))
            .cloned()
            .collect();
        Self {
            op_ids: operations.iter().map(|op| op.id).collect(),
            write_ids: operations.iter().filter_map(Operation::write_id).collect(),
            operations,
        }
    }
}
