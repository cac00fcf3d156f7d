//! The keys that a command, or a transaction of several, works on.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::reply::{Failure, WRONG_TYPE};
use crate::value::{Kind, PAYLOAD_MAX, Value};

/// Where a command finds what its keys hold.
pub trait Cells {
    /// The stored value of a key that the command declared; nothing when it is absent or expired.
    fn cell(&self, key: &[u8]) -> Option<Bytes>;
}

/// Cells that were read beforehand.
impl Cells for BTreeMap<Bytes, Bytes> {
    fn cell(&self, key: &[u8]) -> Option<Bytes> {
        self.get(key).cloned()
    }
}

/// Keys, with the changes made so far.
#[allow(missing_debug_implementations, reason = "borrows a trait object")]
pub struct Work<'a> {
    cells: &'a dyn Cells,
    now_ms: u64,
    stamp: u64,
    changed: BTreeMap<Bytes, Option<Value>>,
}

impl<'a> Work<'a> {
    /// Nothing is changed yet. `now_ms` is the present in milliseconds since the Unix epoch, `stamp`
    /// marks what is written.
    pub fn new(cells: &'a dyn Cells, now_ms: u64, stamp: u64) -> Self {
        Self {
            cells,
            now_ms,
            stamp,
            changed: BTreeMap::new(),
        }
    }

    /// The present, in milliseconds since the Unix epoch.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What a key holds by now.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        let value = match self.changed.get(key) {
            Some(changed) => changed.clone(),
            None => Value::decode(&self.cells.cell(key)?),
        };
        value.filter(|value| value.expires_at.is_none_or(|at| at > self.now_ms))
    }

    /// What a key holds, if that is a string.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn string(&self, key: &[u8]) -> Result<Option<Value>, Failure> {
        self.of_kind(key, Kind::String)
    }

    /// What a key holds, if that is a set.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn set(&self, key: &[u8]) -> Result<Option<Value>, Failure> {
        self.of_kind(key, Kind::Set)
    }

    fn of_kind(&self, key: &[u8], kind: Kind) -> Result<Option<Value>, Failure> {
        match self.get(key) {
            Some(value) if value.kind != kind => Err(WRONG_TYPE),
            found => Ok(found),
        }
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When the payload is longer than a value may be; nothing is changed then.
    pub fn put(
        &mut self,
        key: &[u8],
        kind: Kind,
        payload: Bytes,
        expires_at: Option<u64>,
    ) -> Result<(), Failure> {
        if payload.len() > PAYLOAD_MAX {
            return Err(too_long(payload.len()));
        }
        let value = Value {
            kind,
            expires_at,
            stamp: self.stamp,
            payload,
        };
        self.changed
            .insert(Bytes::copy_from_slice(key), Some(value));
        Ok(())
    }

    /// Removes a key; returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let was_there = self.get(key).is_some();
        if was_there {
            self.changed.insert(Bytes::copy_from_slice(key), None);
        }
        was_there
    }

    /// The keys that changed, with what they hold now.
    pub fn into_changes(self) -> BTreeMap<Bytes, Option<Value>> {
        self.changed
    }
}

/// The error for a value that is too long.
pub(crate) fn too_long(len: usize) -> Failure {
    format!("ERR value of {len} bytes exceeds the maximum of {PAYLOAD_MAX} bytes").into()
}
