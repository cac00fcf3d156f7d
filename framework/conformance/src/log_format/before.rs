//! Before images.

use bytes::{Bytes, BytesMut};
use repertoire_core::{Cell, LogFormat, Operation, RecordContext, RowChange};

use super::history;
use crate::must::must;

fn cell(value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    Cell::plain(value).encode_into(&mut bytes);
    bytes.freeze()
}

/// A format that asks for before images writes them: payloads that differ in nothing else differ.
/// One that does not ask is given none.
///
/// # Panics
/// When the format does otherwise.
pub fn before_images_are_written_when_asked(format: &dyn LogFormat) {
    if !format.needs_before_image() || !format.needs_changes() {
        return;
    }
    let put = Operation::Put {
        key: b"key",
        value: b"new",
        expires_at: None,
    };
    let delete = Operation::Delete { key: b"key" };
    for (operation, after) in [(put, Some(cell(b"new"))), (delete, None)] {
        let payload = |before: Option<Bytes>| {
            let change = RowChange {
                key: Bytes::from_static(b"key"),
                after: after.clone(),
                before,
            };
            let captured =
                history::capture(format, RecordContext::default(), &operation, &[change]);
            must(captured, "capture")
        };
        let payloads = [None, Some(cell(b"one")), Some(cell(b"other"))].map(payload);
        let [none, one, other] = &payloads;
        assert!(
            none != one && one != other && none != other,
            "{}: {operation:?} lacks the before image",
            format.name()
        );
    }
}
