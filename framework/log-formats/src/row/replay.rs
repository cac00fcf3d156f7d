//! Payload → changes.

use std::borrow::Cow;

use repertoire_core::{Cell, FormatError, Space, StateChange, StateView, WriteBatch};

use super::layout::{Change, changes};
use crate::expiry::Expiry;

/// Adds the payload's changes to `batch`, borrowed from it.
pub(super) fn replay<'a>(
    payload: &'a [u8],
    view: &dyn StateView,
    batch: &mut WriteBatch<'a>,
) -> Result<(), FormatError> {
    for logged in changes(payload) {
        let logged = logged?;
        match logged.change {
            Change::Put(bytes) => {
                let cell = Cell::decode(bytes)?;
                if let Some(expires_at) = cell.expires_at {
                    let key = logged.key;
                    set_index(Expiry { expires_at, key }, true, batch);
                }
                batch.set(Space::Data, logged.key, bytes);
            }
            Change::Delete => batch.remove(Space::Data, logged.key),
            Change::Expire(expires_at) => {
                let key = logged.key;
                replay_expiry(Expiry { expires_at, key }, view, batch)?;
            }
        }
    }
    Ok(())
}

/// Removes the index row in any case, and the key if its cell still has that expiry.
fn replay_expiry<'a>(
    expiry: Expiry<'a>,
    view: &dyn StateView,
    batch: &mut WriteBatch<'a>,
) -> Result<(), FormatError> {
    set_index(expiry, false, batch);
    if expires_at(expiry.key, view, batch)? == Some(expiry.expires_at) {
        batch.remove(Space::Data, expiry.key);
    }
    Ok(())
}

/// When the key's present cell expires. The view knows nothing of the batch, so the batch's own
/// changes come first, the last one before the others. The search is linear; see
/// [`EXPIRE_MAX`](crate::expiry::EXPIRE_MAX).
fn expires_at(
    key: &[u8],
    view: &dyn StateView,
    batch: &WriteBatch<'_>,
) -> Result<Option<u64>, FormatError> {
    let mut earlier = batch.changes.iter().rev();
    let last = earlier.find(|change| change.space == Space::Data && *change.key == *key);
    if let Some(change) = last {
        return match &change.value {
            Some(cell) => Ok(Cell::decode(cell)?.expires_at),
            None => Ok(None),
        };
    }
    match view.get(key)? {
        Some(cell) => Ok(Cell::decode(&cell)?.expires_at),
        None => Ok(None),
    }
}

fn set_index<'a>(expiry: Expiry<'a>, is_set: bool, batch: &mut WriteBatch<'a>) {
    if let Some(key) = expiry.index_key() {
        batch.changes.push(StateChange {
            space: Space::Replicated,
            key: Cow::Owned(key),
            value: is_set.then_some(Cow::Borrowed(&[])),
        });
    }
}
