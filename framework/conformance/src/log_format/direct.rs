//! What operations do when they are applied directly: the reference.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use repertoire_core::{Cell, EXPIRE_FUNCTION, Operation, RowChange, Wall};
use repertoire_log_formats::expiry;

/// Encoded cells by key.
pub(super) type Cells = BTreeMap<Bytes, Bytes>;

/// The changes of an operation, or `None` when a precondition does not hold.
pub(super) fn evaluate(
    cells: &Cells,
    operation: &Operation<'_>,
    wall: Wall,
) -> Option<Vec<RowChange>> {
    let mut work = Work {
        cells,
        wall,
        changed: BTreeMap::new(),
    };
    work.run(operation).then(|| {
        let change = |(key, after)| RowChange {
            before: cells.get(&key).cloned(),
            key,
            after,
        };
        work.changed.into_iter().map(change).collect()
    })
}

/// Makes changes.
pub(super) fn apply(cells: &mut Cells, changes: &[RowChange]) {
    for change in changes {
        match &change.after {
            Some(after) => cells.insert(change.key.clone(), after.clone()),
            None => cells.remove(&change.key),
        };
    }
}

struct Work<'a> {
    cells: &'a Cells,
    wall: Wall,
    changed: BTreeMap<Bytes, Option<Bytes>>,
}

impl Work<'_> {
    fn cell(&self, key: &[u8]) -> Option<Cell<'_>> {
        let bytes = match self.changed.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.cells.get(key),
        };
        Cell::decode(bytes?).ok()
    }

    fn holds(&self, key: &[u8], expected: Option<&[u8]>) -> bool {
        let live = self.cell(key).filter(|cell| !cell.is_expired_at(self.wall));
        live.map(|cell| cell.value) == expected
    }

    fn set(&mut self, key: &[u8], cell: Option<Cell<'_>>) {
        let encoded = cell.map(|cell| {
            let mut bytes = BytesMut::new();
            cell.encode_into(&mut bytes);
            bytes.freeze()
        });
        self.changed.insert(Bytes::copy_from_slice(key), encoded);
    }

    fn run(&mut self, operation: &Operation<'_>) -> bool {
        match operation {
            Operation::Put {
                key,
                value,
                expires_at,
            } => {
                let mut cell = Cell::plain(value);
                cell.expires_at = *expires_at;
                self.set(key, Some(cell));
            }
            Operation::Delete { key } => self.set(key, None),
            Operation::CompareAndSet { key, expected, new } => {
                if !self.holds(key, *expected) {
                    return false;
                }
                self.set(key, new.map(Cell::plain));
            }
            Operation::Batch(ops) => return ops.iter().all(|op| self.run(op)),
            Operation::Transaction { guards, ops, .. } => {
                return guards
                    .iter()
                    .all(|guard| self.holds(guard.key, guard.expected))
                    && ops.iter().all(|op| self.run(op));
            }
            Operation::Call { function, args } if *function == EXPIRE_FUNCTION => {
                for due in expiry::expiries(args).flatten() {
                    let expires_at = self.cell(due.key).and_then(|cell| cell.expires_at);
                    if expires_at == Some(due.expires_at) {
                        self.set(due.key, None);
                    }
                }
            }
            Operation::Call { .. } | Operation::Merge { .. } | Operation::Statement { .. } => {
                return false;
            }
        }
        true
    }
}
