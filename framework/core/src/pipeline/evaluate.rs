//! Evaluating read-modify-write operations over engine answers and pending writes.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::Pipeline;
use crate::limits::VALUE_MAX;
use crate::op::put_blob;
use crate::{
    Acks, Cell, DedupTable, Error, ErrorKind, Evaluated, FunctionView, Now, Operation, PayloadHash,
    RecordContext, Registry, RowChange, Wall, WriteRequest,
};

/// An operation that waits for its read set.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) request: WriteRequest,
    pub(super) hash: PayloadHash,
    pub(super) acks: Acks,
    pub(super) keys: Vec<Bytes>,
}

/// The keys that an operation reads or writes.
pub(super) fn read_set(
    operation: &Operation<'_>,
    registry: &Registry,
    keys: &mut Vec<Bytes>,
) -> Result<(), Error> {
    match operation {
        Operation::Put { key, .. }
        | Operation::Delete { key }
        | Operation::CompareAndSet { key, .. }
        | Operation::Merge { key, .. } => keys.push(Bytes::copy_from_slice(key)),
        Operation::Call { function, args } => {
            registry.get_function(function)?.read_set(args, keys)?;
        }
        Operation::Batch(ops) => {
            for op in ops {
                read_set(op, registry, keys)?;
            }
        }
        Operation::Transaction {
            guards,
            ops,
            returning,
        } => {
            keys.extend(guards.iter().map(|guard| Bytes::copy_from_slice(guard.key)));
            keys.extend(returning.iter().map(|key| Bytes::copy_from_slice(key)));
            for op in ops {
                read_set(op, registry, keys)?;
            }
        }
        Operation::Statement { .. } => {}
    }
    Ok(())
}

/// The state that an evaluation works on: its read set, changed as it goes along.
struct Workspace {
    cells: BTreeMap<Bytes, Option<Bytes>>,
    before: BTreeMap<Bytes, Option<Bytes>>,
    wall: Wall,
}

impl Workspace {
    fn live(&self, key: &[u8]) -> Option<Cell<'_>> {
        let cell = Cell::decode(self.cells.get(key)?.as_ref()?).ok()?;
        (!cell.is_expired_at(self.wall)).then_some(cell)
    }

    fn set(&mut self, key: &[u8], cell: Option<Cell<'_>>) {
        let bytes = cell.map(|cell| {
            let mut out = BytesMut::with_capacity(cell.encoded_len());
            cell.encode_into(&mut out);
            out.freeze()
        });
        self.cells.insert(Bytes::copy_from_slice(key), bytes);
    }

    /// Takes what a function changed. Keys that it did not declare were neither latched nor read, and
    /// cells beyond the caps could not be sent in a snapshot: both are refused.
    fn absorb(&mut self, function: &str, evaluated: Evaluated) -> Result<Bytes, Error> {
        for RowChange { key, after, .. } in evaluated.changes {
            let Some(cell) = self.cells.get_mut(&key) else {
                return Err(Error::new(ErrorKind::Unexpected, "call")
                    .with("function", function)
                    .with("key", String::from_utf8_lossy(&key))
                    .with(
                        "detail",
                        "the function changed a key that it did not declare",
                    )
                    .with("remedy", "name the key in its read set"));
            };
            let refused = after.as_ref().and_then(|bytes| cell_refusal(bytes));
            if let Some(kind) = refused {
                return Err(Error::new(kind, "call")
                    .with("function", function)
                    .with("key", String::from_utf8_lossy(&key)));
            }
            *cell = after;
        }
        Ok(evaluated.result)
    }

    /// What differs from the state found; with the state found itself on request.
    fn changes(self, with_before: bool) -> Vec<RowChange> {
        let before = self.before;
        let differs = |(key, after): (Bytes, Option<Bytes>)| {
            let found = before.get(&key).cloned().flatten();
            (found != after).then_some(RowChange {
                key,
                after,
                before: found.filter(|_| with_before),
            })
        };
        self.cells.into_iter().filter_map(differs).collect()
    }
}

impl FunctionView for Workspace {
    fn value(&self, key: &[u8]) -> Option<Bytes> {
        self.live(key)
            .map(|cell| Bytes::copy_from_slice(cell.value))
    }

    fn expires_at(&self, key: &[u8]) -> Option<u64> {
        self.live(key)?.expires_at
    }
}

/// Runs one operation over the workspace; returns its result.
fn run(
    operation: &Operation<'_>,
    registry: &Registry,
    work: &mut Workspace,
) -> Result<Bytes, Error> {
    match operation {
        Operation::Put {
            key,
            value,
            expires_at,
        } => {
            work.set(
                key,
                Some(Cell {
                    expires_at: *expires_at,
                    versions: None,
                    value,
                }),
            );
        }
        Operation::Delete { key } => work.set(key, None),
        Operation::CompareAndSet { key, expected, new } => {
            if work.live(key).map(|cell| cell.value) != *expected {
                return Err(conflict(key));
            }
            work.set(key, new.map(Cell::plain));
        }
        Operation::Call { function, args } => {
            let context = RecordContext { wall: work.wall };
            let evaluated = registry
                .get_function(function)?
                .evaluate(context, args, work)?;
            return work.absorb(function, evaluated);
        }
        Operation::Batch(ops) => {
            for op in ops {
                run(op, registry, work)?;
            }
        }
        Operation::Transaction {
            guards,
            ops,
            returning,
        } => {
            if let Some(guard) = guards
                .iter()
                .find(|g| work.live(g.key).map(|cell| cell.value) != g.expected)
            {
                return Err(conflict(guard.key));
            }
            return transact(ops, returning, registry, work);
        }
        Operation::Merge { .. } | Operation::Statement { .. } => {
            return Err(Error::new(ErrorKind::Unsupported, "evaluate").with(
                "detail",
                "neither merges nor statements run on this keyspace",
            ));
        }
    }
    Ok(Bytes::new())
}

/// Runs the operations of a transaction. The result holds one blob per operation, then for each
/// returned key a presence byte and, if present, a blob.
fn transact(
    ops: &[Operation<'_>],
    returning: &[&[u8]],
    registry: &Registry,
    work: &mut Workspace,
) -> Result<Bytes, Error> {
    let mut out = BytesMut::new();
    for op in ops {
        let result = run(op, registry, work)?;
        put_blob(&mut out, &result);
    }
    for key in returning {
        let cell = work.live(key);
        out.put_u8(u8::from(cell.is_some()));
        if let Some(cell) = cell {
            put_blob(&mut out, cell.value);
        }
    }
    Ok(out.freeze())
}

/// Why what a function wrote cannot be stored, if it cannot.
fn cell_refusal(bytes: &[u8]) -> Option<ErrorKind> {
    let Ok(cell) = Cell::decode(bytes) else {
        return Some(ErrorKind::Malformed);
    };
    let (len, max) = (cell.value.len() as u64, VALUE_MAX as u64);
    (len > max).then_some(ErrorKind::TooLarge { len, max })
}

fn conflict(key: &[u8]) -> Error {
    Error::new(ErrorKind::Conflict, "evaluate").with("key", String::from_utf8_lossy(key))
}

impl Pipeline {
    /// The read set has arrived: evaluate, capture, unlatch.
    pub(super) fn finish_evaluation(
        &mut self,
        now: Now,
        evaluation: Evaluation,
        fetched: Vec<Option<Bytes>>,
        dedup: &DedupTable,
    ) {
        let Evaluation {
            request,
            hash,
            acks,
            keys,
        } = evaluation;
        for key in &keys {
            self.latched.remove(key);
        }
        if request.deadline <= now.mono {
            // Its client has given up, and nothing of it is captured yet.
            self.end_failed(&request, Error::new(ErrorKind::Timeout, "write"));
            return;
        }
        let wall = self.entry_wall(now);
        if !self.outlives(&request, wall, dedup) {
            self.end_failed(&request, Error::new(ErrorKind::SessionExpired, "write"));
            return;
        }
        if !self.overlay.is_active() {
            let unsealed = self.unsealed_entry();
            self.overlay
                .activate(unsealed.as_ref(), self.format.as_ref());
        }
        let ignore_pending = crate::sabotage::planted(crate::sabotage::Bug::OverlayIgnored);
        let mut cells = BTreeMap::new();
        for (key, found) in keys.into_iter().zip(fetched) {
            let cell = if ignore_pending {
                found
            } else {
                self.overlay.over(&key, found)
            };
            cells.insert(key, cell);
        }
        let mut work = Workspace {
            before: cells.clone(),
            cells,
            wall,
        };
        let captured = Operation::decode(&request.body)
            .map_err(|e| Error::new(ErrorKind::Malformed, "write").with("detail", e))
            .and_then(|operation| {
                let result = run(&operation, &self.registry, &mut work)?;
                let changes = work.changes(self.format.needs_before_image());
                self.capture(
                    &request,
                    hash,
                    acks,
                    wall,
                    &operation,
                    Some(&changes),
                    &result,
                )
            });
        if let Err(error) = captured {
            self.end_failed(&request, error);
        }
    }
}
