//! What a log must hold, as plainly as possible: every operation since the beginning.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use repertoire_core::{
    Entry, EntryId, GroupId, GroupLogOp, LogOp, LogSlice, LogStore, Lsn, RecoveredGroup, StreamId,
};
use repertoire_segment_log::{Disk, SegmentLog};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Below this nothing was ever there: the last reset, or the beginning.
    pub floor: EntryId,
    pub checkpoint: EntryId,
    /// By first LSN. Never trimmed.
    pub entries: BTreeMap<u64, Entry>,
}

impl Stream {
    pub fn last(&self) -> EntryId {
        self.entries
            .values()
            .next_back()
            .map_or(self.floor, Entry::last)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub hard_state: Bytes,
    /// Shared, so that a test can keep the state after each operation.
    pub streams: BTreeMap<StreamId, Rc<Stream>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub BTreeMap<GroupId, Group>);

impl State {
    pub fn apply(&mut self, op: &GroupLogOp) {
        let group = self.0.entry(op.group).or_default();
        match &op.op {
            LogOp::Append { stream, entry } => {
                let stream = Rc::make_mut(group.streams.entry(*stream).or_default());
                stream.entries.insert(entry.first.0, entry.clone());
            }
            LogOp::Truncate { stream, last } => {
                let stream = Rc::make_mut(group.streams.entry(*stream).or_default());
                stream.entries.retain(|_, entry| entry.last_lsn() <= *last);
            }
            LogOp::HardState(state) => group.hard_state = state.clone(),
            LogOp::Repaired => {}
            LogOp::Checkpoint { stream, upto } => {
                let stream = Rc::make_mut(group.streams.entry(*stream).or_default());
                if upto.lsn > stream.checkpoint.lsn {
                    stream.checkpoint = *upto;
                }
            }
            LogOp::Reset { stream, base } => {
                let stream = Rc::make_mut(group.streams.entry(*stream).or_default());
                *stream = Stream {
                    floor: *base,
                    checkpoint: *base,
                    entries: BTreeMap::new(),
                };
            }
        }
    }

    /// Whether a log that just opened holds exactly this.
    pub fn matches<D: Disk>(&self, log: &mut SegmentLog<D>) -> Result<(), String> {
        let recovered = log.recovered().clone();
        if recovered.keys().ne(self.0.keys()) {
            return Err(format!("groups {:?}", recovered.keys()));
        }
        for (id, group) in &self.0 {
            group.resembles(*id, &recovered[id])?;
        }
        for (id, group) in &self.0 {
            for (number, stream) in &group.streams {
                let base = recovered[id].streams[number].base;
                stream.matches(log, *id, *number, Some(base))?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Compares all but the entries.
    fn resembles(&self, id: GroupId, found: &RecoveredGroup) -> Result<(), String> {
        if found.damaged {
            return Err(format!("{id} is damaged"));
        }
        if found.hard_state != self.hard_state {
            return Err(format!("{id}: hard state {:?}", found.hard_state));
        }
        if found.streams.keys().ne(self.streams.keys()) {
            return Err(format!("{id}: streams {:?}", found.streams.keys()));
        }
        for (number, stream) in &self.streams {
            let recovered = &found.streams[number];
            if (recovered.last, recovered.checkpoint) != (stream.last(), stream.checkpoint) {
                let (last, checkpoint) = (stream.last(), stream.checkpoint);
                return Err(format!(
                    "{id} {number}: {recovered:?} for {last}, {checkpoint}"
                ));
            }
        }
        Ok(())
    }
}

impl Stream {
    /// Whether all entries above the base read back, and the base is where it may be.
    pub fn matches<D: Disk>(
        &self,
        log: &mut SegmentLog<D>,
        group: GroupId,
        number: StreamId,
        base: Option<EntryId>,
    ) -> Result<(), String> {
        let slice = log
            .read(group, number, Lsn::ZERO, 1)
            .map_err(|e| e.to_string())?;
        let LogSlice::Trimmed { base: found } = slice else {
            return Err(format!("{group} {number}: there is an entry zero"));
        };
        let base = base.unwrap_or(found);
        let known = found == self.floor || self.entries.values().any(|e| e.last() == found);
        if found != base || !known || found.lsn > self.checkpoint.lsn.max(self.floor.lsn) {
            return Err(format!("{group} {number}: base {found}, recovered {base}"));
        }
        let mut from = base.lsn.next();
        for expected in self.entries.values().filter(|e| e.first > base.lsn) {
            let read = log
                .read(group, number, from, 1)
                .map_err(|e| e.to_string())?;
            let LogSlice::Entries(entries) = read else {
                return Err(format!("{group} {number}: trimmed at {from}"));
            };
            if entries.first() != Some(expected) {
                let found = entries.first().map(Entry::last);
                return Err(format!(
                    "{group} {number}: {found:?} for {}",
                    expected.last()
                ));
            }
            from = expected.last_lsn().next();
        }
        match log
            .read(group, number, from, 1)
            .map_err(|e| e.to_string())?
        {
            LogSlice::Entries(rest) if rest.is_empty() => Ok(()),
            LogSlice::Entries(_) | LogSlice::Trimmed { .. } => {
                Err(format!("{group} {number}: more behind the end"))
            }
        }
    }
}
