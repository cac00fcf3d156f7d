//! Answers of reads.
//!
//! ```text
//! 1 no value | 2 value, blob | 3 rows, count u32, (key | value) * count | 4 digest u128 | 5 count u64
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::limits::{KEY_MAX, VALUE_MAX};
use repertoire_core::{Answer, DecodeError, Row, put_blob};

use super::shared::{take_blob, take_u8, take_u32, take_u64, with_cursor};

/// Most rows of one answer: longer scans are read page by page.
pub const ROWS_MAX: usize = 16 * 1024;

/// Bytes that an answer takes on the wire.
pub(crate) fn answer_len(answer: &Answer) -> usize {
    match answer {
        Answer::Value(None) => 1,
        Answer::Value(Some(value)) => 5 + value.len(),
        Answer::Rows(rows) => {
            let row = |row: &Row| 8 + row.key.len() + row.value.len();
            5 + rows.iter().map(row).sum::<usize>()
        }
        Answer::Digest(_) => 17,
        Answer::Count(_) => 9,
    }
}

/// Appends an answer.
pub(crate) fn put_answer(out: &mut BytesMut, answer: &Answer) {
    match answer {
        Answer::Value(None) => out.put_u8(1),
        Answer::Value(Some(value)) => {
            out.put_u8(2);
            put_blob(out, value);
        }
        Answer::Rows(rows) => {
            out.put_u8(3);
            out.put_u32_le(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            for row in rows {
                put_blob(out, &row.key);
                put_blob(out, &row.value);
            }
        }
        Answer::Digest(digest) => {
            out.put_u8(4);
            out.put_u128_le(*digest);
        }
        Answer::Count(count) => {
            out.put_u8(5);
            out.put_u64_le(*count);
        }
    }
}

/// Reads an answer.
pub(crate) fn take_answer(bytes: &mut Bytes) -> Result<Answer, DecodeError> {
    match take_u8(bytes, "answer")? {
        1 => Ok(Answer::Value(None)),
        2 => take_blob(bytes, VALUE_MAX, "value").map(|value| Answer::Value(Some(value))),
        3 => take_rows(bytes).map(Answer::Rows),
        4 => with_cursor(bytes, |cursor| cursor.u128("digest")).map(Answer::Digest),
        5 => take_u64(bytes, "count").map(Answer::Count),
        other => Err(DecodeError::Invalid {
            field: "answer",
            value: other.into(),
        }),
    }
}

/// Rows in memory are larger than empty rows on the wire, so their count has a cap of its own.
fn take_rows(bytes: &mut Bytes) -> Result<Vec<Row>, DecodeError> {
    let count = take_u32(bytes, "rows")?;
    if usize::try_from(count).unwrap_or(usize::MAX) > ROWS_MAX {
        return Err(DecodeError::TooLong {
            field: "rows",
            len: count.into(),
            max: ROWS_MAX as u64,
        });
    }
    // Reserved once, for what can be there at most: growing would hold two copies.
    let most = bytes.len() / 8;
    let mut rows = Vec::with_capacity(most.min(usize::try_from(count).unwrap_or(most)));
    for _ in 0..count {
        rows.push(Row {
            key: take_blob(bytes, KEY_MAX, "key")?,
            value: take_blob(bytes, VALUE_MAX, "value")?,
        });
    }
    Ok(rows)
}
