//! Replicas that apply at different paces.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use repertoire_core::{
    Applied, EngineError, LogFormat, Lsn, Space, StateChange, StateView, StorageEngine, WriteBatch,
};

use super::direct::Cells;
use super::history::Record;
use crate::engine::NewEngine;
use crate::must::must;

/// When changes reach the engine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// After each record, as an inline engine does.
    Record,
    /// So many records in one batch: a record's view lacks the changes of those before it.
    Entry(usize),
    /// After each record, but so many batches late: the view is the engine and what waits for it,
    /// as for an engine that works on another thread.
    Late(usize),
}

impl Pace {
    pub(super) const ALL: [Self; 4] = [
        Self::Record,
        Self::Entry(7),
        Self::Entry(usize::MAX),
        Self::Late(5),
    ];
}

/// A view of nothing.
pub(super) struct Nothing;

impl StateView for Nothing {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(None)
    }
}

/// An engine that is given batches later than its view shows them.
struct Late {
    engine: Box<dyn StorageEngine>,
    waiting: VecDeque<WriteBatch<'static>>,
}

impl Late {
    fn apply_down_to(&mut self, len: usize) {
        while self.waiting.len() > len {
            if let Some(batch) = self.waiting.pop_front() {
                must(self.engine.apply(&batch), "apply");
            }
        }
    }
}

impl StateView for Late {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let mut waiting = self
            .waiting
            .iter()
            .rev()
            .flat_map(|batch| batch.changes.iter().rev());
        match waiting.find(|change| change.space == Space::Data && *change.key == *key) {
            Some(change) => Ok(change.value.as_deref().map(Bytes::copy_from_slice)),
            None => self.engine.get(Space::Data, key),
        }
    }
}

fn owned(batch: &WriteBatch<'_>) -> WriteBatch<'static> {
    let owned = |bytes: &Cow<'_, [u8]>| Cow::Owned(bytes.to_vec());
    let change = |change: &StateChange<'_>| StateChange {
        space: change.space,
        key: owned(&change.key),
        value: change.value.as_ref().map(owned),
    };
    WriteBatch {
        changes: batch.changes.iter().map(change).collect(),
        applied: batch.applied.clone(),
    }
}

/// Replays records on a new engine.
pub(super) fn replay(
    format: &dyn LogFormat,
    records: &[Record],
    new: NewEngine<'_>,
    pace: Pace,
) -> Box<dyn StorageEngine> {
    let (together, late) = match pace {
        Pace::Record => (1, 0),
        Pace::Entry(len) => (len, 0),
        Pace::Late(len) => (1, len),
    };
    let mut replica = Late {
        engine: new(),
        waiting: VecDeque::new(),
    };
    for (lsn, records) in (1..).zip(records.chunks(together)) {
        let mut batch = WriteBatch::new(Applied {
            lsn: Lsn(lsn),
            ..Applied::default()
        });
        for record in records {
            let (context, payload) = (record.context, &record.payload);
            must(
                format.replay(context, payload, &replica, &mut batch),
                "replay",
            );
        }
        replica.waiting.push_back(owned(&batch));
        replica.apply_down_to(late);
    }
    replica.apply_down_to(0);
    replica.engine
}

/// The data space.
pub(super) fn cells(engine: &dyn StorageEngine) -> Cells {
    let mut cells = Cells::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        cells.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        true
    };
    must(engine.scan(Space::Data, &[], &[], visit), "scan");
    cells
}
