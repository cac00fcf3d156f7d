//! The row format: what each changed key holds afterwards, and before if asked for.
//!
//! ```text
//! payload := change *
//! change  := kind u8 | key length u16 | key | [after] | [before cell blob]
//! after   := put 1: cell blob | delete 2: nothing | expire 4: expires_at u64
//! ```
//!
//! Bit 0x80 of the kind says that the cell from before the change follows (a put or delete without
//! it changed an absent key, or the option is off). Integers are little-endian.

mod capture;
mod layout;
mod replay;

use bytes::BytesMut;
use repertoire_core::{
    FormatError, FormatTag, LogFormat, Operation, RecordContext, RowChange, StateView, WriteBatch,
};

pub use layout::{Change, Logged, changes};

/// The number of the row format in entries.
pub const ROW_TAG: FormatTag = FormatTag(1);

/// What the row format writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowOptions {
    /// Whether records also carry what the key held before, for the change feed. The pipeline then
    /// reads each key before it is written.
    pub before_image: bool,
}

/// The row format. See the module's documentation for its layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    options: RowOptions,
}

impl Row {
    /// With these options.
    pub const fn new(options: RowOptions) -> Self {
        Self { options }
    }
}

impl LogFormat for Row {
    fn name(&self) -> &'static str {
        "row"
    }

    fn tag(&self) -> FormatTag {
        ROW_TAG
    }

    fn needs_before_image(&self) -> bool {
        self.options.before_image
    }

    fn capture(
        &self,
        _context: RecordContext,
        operation: &Operation<'_>,
        changes: &[RowChange],
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        undo_on_error(out, |out| capture::capture(operation, changes, out))
    }

    fn capture_blind(
        &self,
        _context: RecordContext,
        operation: &Operation<'_>,
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        undo_on_error(out, |out| capture::capture_blind(operation, out))
    }

    fn replay<'a>(
        &self,
        _context: RecordContext,
        payload: &'a [u8],
        view: &dyn StateView,
        batch: &mut WriteBatch<'a>,
    ) -> Result<(), FormatError> {
        let before = batch.changes.len();
        let result = replay::replay(payload, view, batch);
        if result.is_err() {
            batch.changes.truncate(before);
        }
        result
    }
}

/// Nothing of a refused operation stays in the output.
fn undo_on_error(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let before = out.len();
    let result = write(out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}
