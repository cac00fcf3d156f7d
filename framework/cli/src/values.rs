//! Values of flags.

use std::ffi::OsString;
use std::io::Read as _;
use std::time::Duration;

use repertoire::core::{Acks, ReadLevel};

use crate::failure::Failure;

/// `async`, `semi-sync`, `semi-sync=2`, `sync`, `majority`.
pub(crate) fn acks(text: &str) -> Result<Acks, String> {
    let expected = "expected async, semi-sync, semi-sync=K, sync or majority";
    match text {
        "async" => return Ok(Acks::Async),
        "semi-sync" => return Ok(Acks::SemiSync(1)),
        "sync" => return Ok(Acks::Sync),
        "majority" => return Ok(Acks::Majority),
        _ => {}
    }
    let copies = text.strip_prefix("semi-sync").unwrap_or_default();
    let copies = copies.trim_matches(|c| matches!(c, '=' | '(' | ')' | ':'));
    copies
        .parse()
        .map(Acks::SemiSync)
        .map_err(|_| expected.to_owned())
}

/// `leader` or `local`.
pub(crate) fn level(text: &str) -> Result<ReadLevel, String> {
    match text {
        "leader" => Ok(ReadLevel::Leader),
        "local" => Ok(ReadLevel::Local),
        _ => Err("expected leader or local".to_owned()),
    }
}

/// `250ms`, `5s`, `2m`, `1h`; a bare number means seconds.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let expected = || "expected a number with ms, s, m or h, as in 500ms".to_owned();
    let number: u64 = digits.parse().map_err(|_| expected())?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let millis = number.checked_mul(millis).filter(|millis| *millis > 0);
    millis.map(Duration::from_millis).ok_or_else(expected)
}

/// The bytes of an argument.
pub(crate) fn bytes(text: OsString) -> Vec<u8> {
    text.into_encoded_bytes()
}

/// The bytes of an argument; those of standard input for `-`.
pub(crate) fn bytes_or_stdin(text: OsString) -> Result<Vec<u8>, Failure> {
    if text != "-" {
        return Ok(bytes(text));
    }
    let mut value = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut value);
    read.map_err(|e| Failure::io("standard input", &e))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_are_read_in_all_their_forms() {
        assert_eq!(acks("semi-sync"), Ok(Acks::SemiSync(1)));
        assert_eq!(acks("semi-sync=2"), Ok(Acks::SemiSync(2)));
        assert_eq!(acks("semi-sync(3)"), Ok(Acks::SemiSync(3)));
        assert_eq!(acks("majority"), Ok(Acks::Majority));
        assert!(acks("quorum").is_err() && acks("semi-sync=x").is_err());
    }

    #[test]
    fn spans_need_a_known_unit() {
        assert_eq!(span("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(span("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(span("7"), Ok(Duration::from_secs(7)));
        assert!(span("5 years").is_err() && span("0s").is_err() && span("").is_err());
    }
}
