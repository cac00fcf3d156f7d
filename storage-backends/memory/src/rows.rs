//! A small space: rows in a `BTreeMap`.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::snapshot::Snapshot;

/// Rough cost of a row beside its bytes: two boxes, the stamp and a share of the tree.
const ROW_OVERHEAD: u64 = 80;

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) value: Vec<u8>,
    /// As in [`Entry`](crate::slab::Entry).
    pub(crate) stamp: u32,
}

/// The rows of the replicated or the local space.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<Box<[u8]>, Row>,
    bytes: u64,
}

impl Rows {
    /// Sets or removes a row; an open snapshot that wants the old one gets it first.
    pub(crate) fn set(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        snapshot: Option<&mut Snapshot>,
    ) {
        let stamp = snapshot.as_ref().map_or(0, |snapshot| snapshot.number());
        if let Some(row) = self.rows.get_mut(key) {
            if let Some(snapshot) = snapshot {
                snapshot.keep_replicated(key, row);
            }
            self.bytes -= row.value.len() as u64;
            if let Some(value) = value {
                row.value.clear();
                row.value.extend_from_slice(value);
                self.bytes += value.len() as u64;
            } else {
                self.bytes -= key.len() as u64 + ROW_OVERHEAD;
                self.rows.remove(key);
            }
        } else if let Some(value) = value {
            self.bytes += (key.len() + value.len()) as u64 + ROW_OVERHEAD;
            let value = value.to_vec();
            self.rows.insert(key.into(), Row { value, stamp });
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(key).map(|row| row.value.as_slice())
    }

    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows with keys in `[from, to)`; an empty `to` means the end.
    pub(crate) fn range(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let range = bounds(from, to).map(|bounds| self.rows.range::<[u8], _>(bounds));
        let rows = range.into_iter().flatten();
        rows.map(|(key, row)| (&**key, row.value.as_slice()))
    }

    /// Rows behind a key, or all of them.
    pub(crate) fn after(&self, key: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &Row)> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.range::<[u8], _>((from, Bound::Unbounded));
        rows.map(|(key, row)| (&**key, row))
    }
}

/// The ends of a range of keys.
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// `[from, to)` for a `BTreeMap`, or `None` where the map would panic because it is empty.
fn bounds<'a>(from: &'a [u8], to: &'a [u8]) -> Option<Bounds<'a>> {
    if to.is_empty() {
        return Some((Bound::Included(from), Bound::Unbounded));
    }
    (from < to).then_some((Bound::Included(from), Bound::Excluded(to)))
}
