//! Which discarded writes are meant.

use std::fmt;

use repertoire::core::{Error, ErrorKind};
use serde_json::{Value, json};

use super::listed::Found;

/// A place in the log of one leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) epoch: u64,
    pub(crate) lsn: u64,
}

impl Position {
    pub(crate) fn to_json(self) -> Value {
        json!({"epoch": self.epoch, "lsn": self.lsn})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let number = |name| value.get(name).and_then(Value::as_u64);
        Some(Self {
            epoch: number("epoch")?,
            lsn: number("lsn")?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.lsn, self.epoch)
    }
}

/// `12@3`: record 12, made in epoch 3.
pub(crate) fn position(text: &str) -> Result<Position, String> {
    let parts = text.split_once('@');
    let read = |(lsn, epoch): (&str, &str)| {
        Some(Position {
            lsn: lsn.parse().ok()?,
            epoch: epoch.parse().ok()?,
        })
    };
    parts
        .and_then(read)
        .ok_or_else(|| "expected LSN@EPOCH, as in 12@3".to_owned())
}

/// Keeps those that were named; all, when none was.
///
/// # Errors
/// `Malformed` for a position that no node lists: a mistake, or settled already.
pub(super) fn select(found: &mut Found, named: &[Position]) -> Result<(), Error> {
    if named.is_empty() {
        return Ok(());
    }
    let is_known = |at: &Position| {
        found.writes.iter().any(|it| it.position == *at)
            || found.unlisted.iter().any(|it| it.position == *at)
    };
    if let Some(unknown) = named.iter().find(|at| !is_known(at)) {
        return Err(Error::new(ErrorKind::Malformed, "find a discarded write")
            .with("position", unknown)
            .with(
                "detail",
                "no node that answers lists it: it may be settled already",
            ));
    }
    found.writes.retain(|it| named.contains(&it.position));
    found.unlisted.retain(|it| named.contains(&it.position));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_shown() {
        let at = Position { epoch: 3, lsn: 12 };
        assert_eq!(position(&at.to_string()), Ok(at));
        assert_eq!(Position::from_json(&at.to_json()), Some(at));
        assert!(position("12").is_err() && position("12@x").is_err());
    }
}
