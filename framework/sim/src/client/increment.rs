//! A registered function: a counter that grows by one, read-modify-write through the pipeline.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::{Cell, Error, Evaluated, Function, FunctionView, RecordContext, RowChange};

/// Adds one to the number under the key in its arguments; returns the sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Increment;

impl Increment {
    pub(crate) const NAME: &'static str = "sim.increment";
}

impl Function for Increment {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error> {
        keys.push(Bytes::copy_from_slice(args));
        Ok(())
    }

    fn evaluate(
        &self,
        _context: RecordContext,
        args: &[u8],
        view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        let now = view.value(args).and_then(|bytes| (&*bytes).try_into().ok());
        let sum = now
            .map_or(0, i64::from_le_bytes)
            .wrapping_add(1)
            .to_le_bytes();
        let mut cell = BytesMut::with_capacity(9);
        Cell::plain(&sum).encode_into(&mut cell);
        let mut result = BytesMut::with_capacity(8);
        result.put_slice(&sum);
        Ok(Evaluated {
            changes: vec![RowChange {
                key: Bytes::copy_from_slice(args),
                after: Some(cell.freeze()),
                before: None,
            }],
            result: result.freeze(),
        })
    }
}
