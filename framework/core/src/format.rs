//! Log formats: how a change is written into the log, and read back.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::storage::{EngineError, WriteBatch};
use crate::{DecodeError, FormatTag, Operation, Wall};

/// What the evaluation of an operation changes in one key. Values are encoded cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The key.
    pub key: Bytes,
    /// What it holds afterwards; `None`: it is removed.
    pub after: Option<Bytes>,
    /// What it held before; known only when the format asked for it.
    pub before: Option<Bytes>,
}

/// Read access to a replica's data, pending writes included where the caller says so.
pub trait StateView {
    /// The encoded cell of `key`.
    ///
    /// # Errors
    /// When the engine failed.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
}

/// Why a record could not be captured or replayed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The payload is damaged.
    #[error("the payload is damaged: {0}")]
    Decode(#[from] DecodeError),
    /// The format cannot carry this operation.
    #[error("the format cannot carry {what}")]
    Unsupported {
        /// Which operation or feature.
        what: &'static str,
    },
    /// The operation's effect is not a function of the log.
    #[error("the effect of {what} is not determined by the log")]
    NonDeterministic {
        /// Which part.
        what: String,
    },
    /// The engine failed while the format read from it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a format must know of the record besides its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordContext {
    /// The time in the entry.
    pub wall: Wall,
}

/// How a keyspace's log describes changes. Captures at the leader, replays on every replica.
///
/// # Contract
/// * `replay(capture(x))` makes the same state on every replica whose state was the same.
/// * `capture` writes at least one byte for each record that changes anything.
/// * `replay` never panics, whatever the payload; it reports damage.
/// * A tag is never reused for another layout.
pub trait LogFormat: Send + Sync {
    /// The name in configuration files.
    fn name(&self) -> &'static str;

    /// The number in entries.
    fn tag(&self) -> FormatTag;

    /// Whether `capture` wants [`RowChange::before`]: the pipeline then reads each key first.
    fn needs_before_image(&self) -> bool {
        false
    }

    /// Whether `capture` wants evaluated changes. A format that ships the operation itself says no.
    fn needs_changes(&self) -> bool {
        true
    }

    /// Appends the payload of one record to `out`.
    ///
    /// # Errors
    /// When the format cannot carry the operation; nothing may have been appended then.
    fn capture(
        &self,
        context: RecordContext,
        operation: &Operation<'_>,
        changes: &[RowChange],
        out: &mut BytesMut,
    ) -> Result<(), FormatError>;

    /// Appends the payload of a plain put or delete, for which nothing needed evaluation.
    ///
    /// The default goes through [`capture`](Self::capture); formats override it to copy less.
    ///
    /// # Errors
    /// As `capture`.
    fn capture_blind(
        &self,
        context: RecordContext,
        operation: &Operation<'_>,
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        let mut changes = Vec::new();
        blind_changes(operation, &mut changes);
        self.capture(context, operation, &changes, out)
    }

    /// Adds what the payload changes to `batch`. `view` is the state before the record, with the
    /// changes of `batch` *not* yet in it.
    ///
    /// # Errors
    /// When the payload is damaged or the engine failed.
    fn replay<'a>(
        &self,
        context: RecordContext,
        payload: &'a [u8],
        view: &dyn StateView,
        batch: &mut WriteBatch<'a>,
    ) -> Result<(), FormatError>;
}

/// The changes of a put, a delete or a batch of them, which need no evaluation.
pub fn blind_changes(operation: &Operation<'_>, out: &mut Vec<RowChange>) {
    match operation {
        Operation::Put {
            key,
            value,
            expires_at,
        } => {
            let cell = crate::Cell {
                expires_at: *expires_at,
                versions: None,
                value,
            };
            let mut bytes = BytesMut::with_capacity(cell.encoded_len());
            cell.encode_into(&mut bytes);
            let after = Some(bytes.freeze());
            out.push(RowChange {
                key: Bytes::copy_from_slice(key),
                after,
                before: None,
            });
        }
        Operation::Delete { key } => {
            out.push(RowChange {
                key: Bytes::copy_from_slice(key),
                after: None,
                before: None,
            });
        }
        Operation::Batch(ops) => ops.iter().for_each(|op| blind_changes(op, out)),
        Operation::CompareAndSet { .. }
        | Operation::Call { .. }
        | Operation::Transaction { .. }
        | Operation::Merge { .. }
        | Operation::Statement { .. } => {}
    }
}
