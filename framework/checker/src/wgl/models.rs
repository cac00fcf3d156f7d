//! The sequential objects that come with the search, over the operations of a history.

use super::Model;
use crate::history::{OpKind, WriteId};

/// A register: writes, deletes and reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// A register with compare-and-set.
#[derive(Clone, Copy, Debug, Default)]
pub struct CasRegister;

/// A counter that starts at 0: increments and reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

fn is_read(op: &OpKind) -> bool {
    matches!(op, OpKind::Read { .. } | OpKind::ReadCounter { .. })
}

impl Model for Register {
    type Op = OpKind;
    type State = Option<WriteId>;

    fn initial(&self) -> Self::State {
        None
    }

    fn accepts(&self, op: &OpKind) -> bool {
        matches!(
            op,
            OpKind::Write { .. } | OpKind::Delete { .. } | OpKind::Read { .. }
        )
    }

    fn is_read_only(&self, op: &OpKind) -> bool {
        is_read(op)
    }

    fn step(&self, state: &Self::State, op: &OpKind, is_answered: bool) -> Option<Self::State> {
        CasRegister
            .step(state, op, is_answered)
            .filter(|_| self.accepts(op))
    }
}

impl Model for CasRegister {
    type Op = OpKind;
    type State = Option<WriteId>;

    fn initial(&self) -> Self::State {
        None
    }

    fn accepts(&self, op: &OpKind) -> bool {
        !matches!(op, OpKind::Increment { .. } | OpKind::ReadCounter { .. })
    }

    fn is_read_only(&self, op: &OpKind) -> bool {
        is_read(op)
    }

    fn step(&self, state: &Self::State, op: &OpKind, is_answered: bool) -> Option<Self::State> {
        match *op {
            OpKind::Write { id } | OpKind::Delete { id } => Some(Some(id)),
            OpKind::Read { observed } => (!is_answered || observed == *state).then_some(*state),
            OpKind::CompareAndSet {
                expected,
                id,
                swapped,
            } => {
                let is_match = expected == *state;
                let next = if is_match { Some(id) } else { *state };
                (!is_answered || swapped == is_match).then_some(next)
            }
            OpKind::Increment { .. } | OpKind::ReadCounter { .. } => None,
        }
    }
}

impl Model for Counter {
    type Op = OpKind;
    type State = i128;

    fn initial(&self) -> Self::State {
        0
    }

    fn accepts(&self, op: &OpKind) -> bool {
        matches!(op, OpKind::Increment { .. } | OpKind::ReadCounter { .. })
    }

    fn is_read_only(&self, op: &OpKind) -> bool {
        is_read(op)
    }

    fn step(&self, state: &Self::State, op: &OpKind, is_answered: bool) -> Option<Self::State> {
        match *op {
            OpKind::Increment { by, observed, .. } => {
                let next = state.saturating_add(i128::from(by));
                let fits = observed.is_none_or(|seen| i128::from(seen) == next);
                (!is_answered || fits).then_some(next)
            }
            OpKind::ReadCounter { observed } => {
                (!is_answered || i128::from(observed) == *state).then_some(*state)
            }
            OpKind::Write { .. }
            | OpKind::Delete { .. }
            | OpKind::Read { .. }
            | OpKind::CompareAndSet { .. } => None,
        }
    }
}
