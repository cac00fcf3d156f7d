//! Operation → payload.

use bytes::{BufMut, BytesMut};
use repertoire_core::limits::VALUE_MAX;
use repertoire_core::{Cell, EXPIRE_FUNCTION, FormatError, Operation, RowChange, put_blob};

use super::layout::{BEFORE, DELETE, EXPIRE, PUT, put_head};
use crate::expiry;

/// Writes evaluated changes, or an expiry call, which has none.
pub(super) fn capture(
    operation: &Operation<'_>,
    changes: &[RowChange],
    out: &mut BytesMut,
) -> Result<(), FormatError> {
    if let Operation::Call { function, args } = operation
        && *function == EXPIRE_FUNCTION
    {
        return capture_expiries(args, out);
    }
    changes
        .iter()
        .try_for_each(|change| capture_change(change, out))
}

fn capture_change(change: &RowChange, out: &mut BytesMut) -> Result<(), FormatError> {
    let kind = if change.after.is_some() { PUT } else { DELETE };
    let flag = if change.before.is_some() { BEFORE } else { 0 };
    put_head(out, kind | flag, &change.key)?;
    if let Some(after) = &change.after {
        // A cell that does not decode would stop every replica at replay: refuse it here.
        let cell = Cell::decode(after)?;
        check_value(cell.value)?;
        put_blob(out, after);
    }
    if let Some(before) = &change.before {
        put_blob(out, before);
    }
    Ok(())
}

fn capture_expiries(args: &[u8], out: &mut BytesMut) -> Result<(), FormatError> {
    for expiry in expiry::expiries(args) {
        let expiry = expiry?;
        put_head(out, EXPIRE, expiry.key)?;
        out.put_u64_le(expiry.expires_at);
    }
    Ok(())
}

/// Writes a put, a delete, a batch of them or an expiry call straight from the operation.
pub(super) fn capture_blind(
    operation: &Operation<'_>,
    out: &mut BytesMut,
) -> Result<(), FormatError> {
    match operation {
        Operation::Put {
            key,
            value,
            expires_at,
        } => {
            check_value(value)?;
            let cell = Cell {
                expires_at: *expires_at,
                versions: None,
                value,
            };
            let len = cell.encoded_len();
            out.reserve(7 + key.len() + len);
            put_head(out, PUT, key)?;
            // Values are far below 4 GiB: checked above.
            out.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
            cell.encode_into(out);
            Ok(())
        }
        Operation::Delete { key } => put_head(out, DELETE, key),
        Operation::Batch(ops) => ops.iter().try_for_each(|op| capture_blind(op, out)),
        Operation::Call { function, args } if *function == EXPIRE_FUNCTION => {
            capture_expiries(args, out)
        }
        Operation::CompareAndSet { .. }
        | Operation::Call { .. }
        | Operation::Transaction { .. }
        | Operation::Merge { .. }
        | Operation::Statement { .. } => Err(FormatError::Unsupported {
            what: "an operation that was not evaluated",
        }),
    }
}

fn check_value(value: &[u8]) -> Result<(), FormatError> {
    if value.len() > VALUE_MAX {
        return Err(FormatError::Unsupported {
            what: "a value longer than a value may be",
        });
    }
    Ok(())
}
