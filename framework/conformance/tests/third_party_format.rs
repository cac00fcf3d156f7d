//! A log format that this workspace knows nothing of passes the suite: it implements the trait,
//! and calls one function in its tests.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::{DATA_FRAME_MAX, KEY_MAX};
use repertoire_core::{
    Cell, DecodeError, FormatError, FormatTag, LogFormat, Operation, RecordContext, RowChange,
    Space, StateChange, StateView, WriteBatch, put_blob,
};
use repertoire_storage_memory::MemoryEngine;

/// `count u16 | (key blob) * count | (0, or 1 + cell blob) * count`: keys first, as a filter that
/// looks at keys alone would like it.
struct KeysFirst;

impl LogFormat for KeysFirst {
    fn name(&self) -> &'static str {
        "keys-first"
    }

    fn tag(&self) -> FormatTag {
        FormatTag(200)
    }

    fn capture(
        &self,
        _context: RecordContext,
        operation: &Operation<'_>,
        changes: &[RowChange],
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        if matches!(
            operation,
            Operation::Call { .. } | Operation::Statement { .. }
        ) {
            let what = "calls and statements";
            return Err(FormatError::Unsupported { what });
        }
        let what = "this many changes or a key this long";
        let too_much = FormatError::Unsupported { what };
        let count = u16::try_from(changes.len()).map_err(|_| too_much.clone())?;
        if changes.iter().any(|change| change.key.len() > KEY_MAX) {
            return Err(too_much);
        }
        out.put_u16(count);
        for change in changes {
            put_blob(out, &change.key);
        }
        for change in changes {
            out.put_u8(u8::from(change.after.is_some()));
            change.after.iter().for_each(|cell| put_blob(out, cell));
        }
        Ok(())
    }

    fn replay<'a>(
        &self,
        _context: RecordContext,
        payload: &'a [u8],
        _view: &dyn StateView,
        batch: &mut WriteBatch<'a>,
    ) -> Result<(), FormatError> {
        let mut cursor = Cursor::new(payload);
        let count = cursor.u16("count")?.swap_bytes();
        let mut keys = Vec::new();
        for _ in 0..count {
            keys.push(cursor.blob(KEY_MAX, "key")?);
        }
        for key in keys {
            let value = match cursor.u8("presence")? {
                0 => None,
                1 => Some(Cow::Borrowed(cursor.blob(DATA_FRAME_MAX, "cell")?)),
                other => {
                    let (field, value) = ("presence", other.into());
                    return Err(DecodeError::Invalid { field, value }.into());
                }
            };
            value.as_deref().map(Cell::decode).transpose()?;
            batch.changes.push(StateChange {
                space: Space::Data,
                key: Cow::Borrowed(key),
                value,
            });
        }
        Ok(cursor.finish()?)
    }
}

#[test]
fn a_third_party_format_conforms() {
    let engine = || -> Box<dyn repertoire_core::StorageEngine> { Box::new(MemoryEngine::new(3)) };
    repertoire_conformance::log_format::check_all(&KeysFirst, engine);
}

/// A suite that passes everything proves nothing: one wrong byte must fail it.
struct Forgetful;

impl LogFormat for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn tag(&self) -> FormatTag {
        FormatTag(201)
    }

    fn capture(
        &self,
        context: RecordContext,
        operation: &Operation<'_>,
        changes: &[RowChange],
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        KeysFirst.capture(context, operation, changes, out)
    }

    fn replay<'a>(
        &self,
        context: RecordContext,
        payload: &'a [u8],
        view: &dyn StateView,
        batch: &mut WriteBatch<'a>,
    ) -> Result<(), FormatError> {
        KeysFirst.replay(context, payload, view, batch)?;
        // A delete is forgotten when it is not alone.
        if batch.changes.len() > 1 {
            batch.changes.retain(|change| change.value.is_some());
        }
        Ok(())
    }
}

#[test]
#[should_panic(expected = "data")]
fn a_format_that_forgets_deletes_does_not() {
    let engine = || -> Box<dyn repertoire_core::StorageEngine> { Box::new(MemoryEngine::new(3)) };
    repertoire_conformance::log_format::replay_equals_direct_application(&Forgetful, &engine, 0);
}
