//! What commands do to keys. Each is a pure function of its arguments and the keys' values: the same
//! code runs at the leader, inside a transaction, and on values that were read beforehand.

pub(crate) mod counters;
pub(crate) mod expiry;
pub(crate) mod keys;
pub(crate) mod sets;
pub(crate) mod strings;

use crate::reply::{Failure, NOT_AN_INTEGER, Reply};
use crate::work::Work;

/// Runs a command whose number of arguments has been checked; the first is its name.
pub type Run = fn(&mut Work<'_>, &[&[u8]]) -> Result<Reply, Failure>;

/// The argument at `index`; empty beyond the end, which the check of their number excludes.
fn arg<'a>(args: &[&'a [u8]], index: usize) -> &'a [u8] {
    args.get(index).copied().unwrap_or_default()
}

/// The arguments from `index` on.
fn rest<'s, 'a>(args: &'s [&'a [u8]], index: usize) -> &'s [&'a [u8]] {
    args.get(index..).unwrap_or_default()
}

/// Whether an argument is this word, in any case.
fn is(word: &[u8], expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected.as_bytes())
}

/// A number, as strictly as Redis reads it: no plus sign, no leading zero, no space.
///
/// # Errors
/// When it is none.
pub(crate) fn integer(text: &[u8]) -> Result<i64, Failure> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', more @ ..] => more.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let parsed = std::str::from_utf8(text).ok().filter(|_| is_plain);
    parsed
        .and_then(|text| text.parse().ok())
        .ok_or(NOT_AN_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn numbers_are_read_as_strictly_as_redis_does() {
        for good in [0, 7, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(integer(good.to_string().as_bytes()), Ok(good));
        }
        let bad = [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "1 ",
            " 1",
            "1.0",
            "9223372036854775808",
            "0x1",
        ];
        for bad in bad {
            assert!(integer(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(integer(b"\xff").is_err());
    }
}
