//! Random histories of operations, captured as a leader does.

use bytes::{Bytes, BytesMut};
use repertoire_core::{
    Cell, EXPIRE_FUNCTION, FormatError, Guard, LogFormat, Operation, RecordContext, RowChange, Wall,
};
use repertoire_log_formats::expiry::{Expiry, expire_args};

use super::direct::{self, Cells};
use crate::Random;
use crate::must::must;

/// A captured record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) context: RecordContext,
    pub(super) payload: Bytes,
}

/// What a leader did: records, and the data that they make.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) records: Vec<Record>,
    pub(super) cells: Cells,
    pub(super) wall: Wall,
}

impl History {
    /// A random one.
    pub(super) fn random(format: &dyn LogFormat, seed: u64, len: usize) -> Self {
        let mut random = Random::new(seed);
        let mut history = Self::default();
        for _ in 0..len {
            history.wall.0 += random.below(3) as u64;
            let operation = random_operation(&mut random, &history.cells, history.wall);
            let operation = must(Operation::decode(&operation), "decoding an operation");
            history.run(format, &operation);
        }
        history
    }

    /// Captures one operation and applies it directly. Returns whether the format carries it and
    /// its preconditions hold.
    pub(super) fn run(&mut self, format: &dyn LogFormat, operation: &Operation<'_>) -> bool {
        let Some(changes) = direct::evaluate(&self.cells, operation, self.wall) else {
            return false;
        };
        let context = RecordContext { wall: self.wall };
        let is_blind = is_blind(operation) && !format.needs_before_image();
        let captured = if is_blind {
            capture_blind(format, context, operation)
        } else {
            capture(format, context, operation, &changes)
        };
        match captured {
            Ok(payload) => {
                assert!(
                    changes.is_empty() || !payload.is_empty(),
                    "{}: no byte for {operation:?}",
                    format.name()
                );
                self.records.push(Record { context, payload });
                direct::apply(&mut self.cells, &changes);
                true
            }
            Err(error) => {
                let is_plain =
                    matches!(operation, Operation::Put { .. } | Operation::Delete { .. });
                assert!(
                    !is_plain,
                    "{} refuses {operation:?}: {error}",
                    format.name()
                );
                false
            }
        }
    }
}

/// What the pipeline captures without evaluating it.
pub(super) fn is_blind(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Put { .. } | Operation::Delete { .. } | Operation::Batch(_) => true,
        Operation::Call { function, .. } => *function == EXPIRE_FUNCTION,
        Operation::CompareAndSet { .. }
        | Operation::Transaction { .. }
        | Operation::Merge { .. }
        | Operation::Statement { .. } => false,
    }
}

/// Captures evaluated changes, as much of them as the format asks for.
pub(super) fn capture(
    format: &dyn LogFormat,
    context: RecordContext,
    operation: &Operation<'_>,
    changes: &[RowChange],
) -> Result<Bytes, FormatError> {
    let mut wanted = Vec::new();
    if format.needs_changes() {
        wanted.extend_from_slice(changes);
    }
    if !format.needs_before_image() {
        for change in &mut wanted {
            change.before = None;
        }
    }
    appended(|out| format.capture(context, operation, &wanted, out))
}

/// Captures an operation that needs no evaluation.
pub(super) fn capture_blind(
    format: &dyn LogFormat,
    context: RecordContext,
    operation: &Operation<'_>,
) -> Result<Bytes, FormatError> {
    appended(|out| format.capture_blind(context, operation, out))
}

/// What was appended; other records' bytes come before it and stay.
fn appended(
    write: impl FnOnce(&mut BytesMut) -> Result<(), FormatError>,
) -> Result<Bytes, FormatError> {
    const EARLIER: &[u8] = b"earlier records";
    let mut out = BytesMut::from(EARLIER);
    let result = write(&mut out);
    assert!(out.starts_with(EARLIER), "a capture changed earlier bytes");
    let payload = out.split_off(EARLIER.len()).freeze();
    if result.is_err() {
        assert!(payload.is_empty(), "a refused operation left bytes");
    }
    result.map(|()| payload)
}

/// What a random operation does with one key.
struct Part {
    key: Bytes,
    /// `None`: it is deleted.
    value: Option<Bytes>,
    expires_at: Option<u64>,
    /// What a guard expects; mostly what is there.
    expected: Option<Bytes>,
}

impl Part {
    fn random(random: &mut Random, cells: &Cells, wall: Wall) -> Self {
        let key = Bytes::from(vec![b'k'; 1 + random.below(30)]);
        let cell = cells.get(&key).and_then(|bytes| Cell::decode(bytes).ok());
        let live = cell.filter(|cell| !cell.is_expired_at(wall));
        let mut expected = live.map(|cell| Bytes::copy_from_slice(cell.value));
        if random.chance(10) {
            expected = Some(Bytes::from_static(b"something else"));
        }
        let expires_at = random.chance(30).then(|| wall.0 + random.below(20) as u64);
        let len = random.below(60);
        let value = (!random.chance(20)).then(|| random.bytes(len).into());
        Self {
            key,
            value,
            expires_at,
            expected,
        }
    }

    fn plain(&self) -> Operation<'_> {
        let key = &self.key;
        match &self.value {
            Some(value) => Operation::Put {
                key,
                value,
                expires_at: self.expires_at,
            },
            None => Operation::Delete { key },
        }
    }

    fn guard(&self) -> Guard<'_> {
        Guard {
            key: &self.key,
            expected: self.expected.as_deref(),
        }
    }

    fn compare_and_set(&self) -> Operation<'_> {
        Operation::CompareAndSet {
            key: &self.key,
            expected: self.expected.as_deref(),
            new: self.value.as_deref(),
        }
    }

    /// When the key's cell expires, or another time.
    fn expiry(&self, cells: &Cells, wall: Wall) -> Expiry<'_> {
        let cell = cells
            .get(&self.key)
            .and_then(|bytes| Cell::decode(bytes).ok());
        let expires_at = cell.and_then(|cell| cell.expires_at);
        Expiry {
            expires_at: expires_at.or(self.expires_at).unwrap_or(wall.0),
            key: &self.key,
        }
    }
}

fn random_operation(random: &mut Random, cells: &Cells, wall: Wall) -> Bytes {
    let parts: Vec<_> = (0..6).map(|_| Part::random(random, cells, wall)).collect();
    let Some((first, others)) = parts.split_first() else {
        return Bytes::new();
    };
    let plain = others.iter().map(Part::plain).collect();
    match random.below(12) {
        0 => Operation::Batch(plain).encode(),
        1 | 2 => first.compare_and_set().encode(),
        3 => {
            // Guards on two keys, of which the operations may change one.
            let guards = parts.iter().take(2).map(Part::guard).collect();
            let (ops, returning) = (plain, vec![&*first.key]);
            let transaction = Operation::Transaction {
                guards,
                ops,
                returning,
            };
            transaction.encode()
        }
        4 => {
            let args = expire_args(parts.iter().map(|part| part.expiry(cells, wall)));
            let function = EXPIRE_FUNCTION;
            Operation::Call {
                function,
                args: &args,
            }
            .encode()
        }
        _ => first.plain().encode(),
    }
}
