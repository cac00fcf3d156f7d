//! The keys that an operation names.

use super::Operation;

impl Operation<'_> {
    /// Visits every key that the operation names, in order, perhaps one several times. Calls and
    /// statements name none.
    pub fn visit_keys(&self, visit: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Put { key, .. }
            | Self::Delete { key }
            | Self::CompareAndSet { key, .. }
            | Self::Merge { key, .. } => visit(key),
            Self::Batch(ops) => ops.iter().for_each(|op| op.visit_keys(visit)),
            Self::Transaction {
                guards,
                ops,
                returning,
            } => {
                guards.iter().for_each(|guard| visit(guard.key));
                ops.iter().for_each(|op| op.visit_keys(visit));
                returning.iter().for_each(|key| visit(key));
            }
            Self::Call { .. } | Self::Statement { .. } => {}
        }
    }
}
