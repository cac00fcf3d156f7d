//! Errors on the wire: the advice in fixed bytes, the rest as a bounded postcard blob.
//!
//! ```text
//! outcome u8 | retry u8 | code u16 | len u16 | postcard of core::Error
//! ```
//!
//! A client that is older than the node may not know an error's kind. It still learns whether the
//! write may happen and what to do next, which is all that its retries depend on.

use bytes::{BufMut, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::{DecodeError, Error, ErrorKind, Retry, WriteOutcome};

/// Longest postcard form of an error, in bytes. Longer ones lose context, never their kind.
pub const ERROR_MAX: usize = 4 * 1024;

/// Most bytes kept of each text of an error that is too long.
const TEXT_MAX: usize = 200;

/// Most facts an error carries.
const CONTEXT_MAX: usize = 8;

/// Appends an error.
pub fn encode_error(error: &Error, out: &mut BytesMut) {
    out.put_u8(match error.outcome() {
        WriteOutcome::NotApplied => 0,
        WriteOutcome::Unknown => 1,
    });
    out.put_u8(match error.retry() {
        Retry::No => 0,
        Retry::SameRequest => 1,
        Retry::Elsewhere => 2,
    });
    out.put_u16_le(code_number(error.code()));
    let mut blob = postcard::to_stdvec(error).unwrap_or_default();
    if blob.len() > ERROR_MAX {
        blob = postcard::to_stdvec(&shortened(error)).unwrap_or_default();
    }
    let len = u16::try_from(blob.len()).unwrap_or(0);
    out.put_u16_le(len);
    out.put_slice(blob.get(..usize::from(len)).unwrap_or_default());
}

/// Reads an error. A kind that this version does not know becomes the nearest one with the same
/// advice.
///
/// # Errors
/// When the fixed part is damaged.
pub fn decode_error(cursor: &mut Cursor<'_>) -> Result<Error, DecodeError> {
    let outcome = match cursor.u8("outcome")? {
        0 => WriteOutcome::NotApplied,
        // An outcome that is not known to this version is not known.
        _ => WriteOutcome::Unknown,
    };
    let retry = cursor.u8("retry")?;
    let code = cursor.u16("code")?;
    let len = usize::from(cursor.u16("error length")?);
    if len > ERROR_MAX {
        return Err(DecodeError::TooLong {
            field: "error",
            len: len as u64,
            max: ERROR_MAX as u64,
        });
    }
    let blob = cursor.bytes(len, "error")?;
    match postcard::take_from_bytes::<Error>(blob) {
        Ok((error, [])) if error.context().len() <= CONTEXT_MAX => Ok(error),
        _ => Ok(nearest(retry, code).with_outcome(outcome)),
    }
}

fn nearest(retry: u8, code: u16) -> Error {
    let kind = match retry {
        1 => ErrorKind::Unavailable,
        2 => ErrorKind::ShuttingDown,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, "request")
        .with("code", format!("RPT-{code:04}"))
        .with("detail", "an error that this version does not know")
}

fn code_number(code: &str) -> u16 {
    code.rsplit('-')
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn shortened(error: &Error) -> Error {
    let kind = if let ErrorKind::Application { message } = error.kind() {
        ErrorKind::Application {
            message: cut(message),
        }
    } else if matches!(error.kind(), ErrorKind::NotCaughtUp { .. }) {
        // Its positions grow with the cluster; the advice does not need them.
        ErrorKind::Unavailable
    } else if matches!(error.kind(), ErrorKind::Discarded { .. }) {
        ErrorKind::Conflict
    } else {
        error.kind().clone()
    };
    let mut short = Error::new(kind, cut(error.operation())).with_outcome(error.outcome());
    for (name, value) in error.context() {
        short = short.with(cut(name), cut(value));
    }
    short
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use repertoire_core::cursor::Cursor;
    use repertoire_core::{Error, ErrorKind, NodeId, Retry, WriteOutcome};

    use super::{ERROR_MAX, decode_error, encode_error};

    fn round(error: &Error) -> (Error, usize) {
        let mut out = BytesMut::new();
        encode_error(error, &mut out);
        let mut cursor = Cursor::new(&out);
        let read = decode_error(&mut cursor).unwrap();
        assert_eq!(cursor.finish(), Ok(()));
        (read, out.len())
    }

    #[test]
    fn errors_survive_the_round_trip() {
        let error = Error::not_leader(Some(NodeId(2)), "put").with("group", "g");
        assert_eq!(round(&error).0, error);
        let unknown = Error::new(ErrorKind::Unavailable, "put").with_outcome(WriteOutcome::Unknown);
        assert_eq!(round(&unknown).0, unknown);
    }

    #[test]
    fn a_long_error_is_shortened_and_keeps_its_kind() {
        let kind = ErrorKind::Application {
            message: "m".repeat(10_000),
        };
        let (read, len) = round(&Error::new(kind, "call").with("fact", "f".repeat(9000)));
        assert!(matches!(read.kind(), ErrorKind::Application { .. }));
        assert!(len <= ERROR_MAX + 6);
    }

    #[test]
    fn an_unknown_kind_keeps_its_advice() {
        for (retry, wanted) in [
            (1, Retry::SameRequest),
            (2, Retry::Elsewhere),
            (0, Retry::No),
        ] {
            let mut out = BytesMut::new();
            out.put_u8(0);
            out.put_u8(retry);
            out.put_u16_le(99);
            out.put_u16_le(1);
            // A variant that does not exist yet.
            out.put_u8(120);
            let error = decode_error(&mut Cursor::new(&out)).unwrap();
            assert_eq!(error.retry(), wanted);
            assert_eq!(error.outcome(), WriteOutcome::NotApplied);
            assert_eq!(error.context()[0].1, "RPT-0099");
        }
    }
}
