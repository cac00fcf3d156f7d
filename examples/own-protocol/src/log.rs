//! This replica's own log: how far it goes, how much of it is durable, and its newest entries.

use std::collections::VecDeque;

use repertoire_core::{Effects, Entry, EntryId, EpochHistory, LogOp, LogSeq, Lsn, StreamId, Wall};

use crate::Message;

/// The only stream of the log.
pub(crate) const STREAM: StreamId = StreamId(0);

/// This replica's own log. It only grows: a replica is never given what could be taken back.
#[derive(Debug)]
pub(crate) struct Log {
    /// The last record.
    pub(crate) last: EntryId,
    /// Everything up to here is on stable storage.
    pub(crate) durable: Lsn,
    /// The time of the last entry.
    pub(crate) wall: Wall,
    /// Which boot of the head made which part, from the very first record on.
    pub(crate) history: EpochHistory,
    /// The entries that are not applied yet, oldest first.
    recent: VecDeque<Entry>,
    /// Once the operation is durable, so is everything up to the record.
    marks: VecDeque<(LogSeq, Lsn)>,
}

impl Log {
    /// A log that ends at `last`, all of it durable; `recent` are the entries not applied yet.
    pub(crate) fn new(
        last: EntryId,
        wall: Wall,
        history: EpochHistory,
        recent: VecDeque<Entry>,
    ) -> Self {
        Self {
            last,
            durable: last.lsn,
            wall,
            history,
            recent,
            marks: VecDeque::new(),
        }
    }

    /// Adds an entry at the end.
    pub(crate) fn append(&mut self, entry: Entry, fx: &mut Effects<Message>) {
        assert_eq!(entry.first, self.last.lsn.next(), "the log has no holes");
        self.history.note(entry.epoch, entry.first);
        (self.last, self.wall) = (entry.last(), entry.wall);
        self.recent.push_back(entry.clone());
        let stream = STREAM;
        let seq = fx.log(LogOp::Append { stream, entry });
        self.marks.push_back((seq, self.last.lsn));
    }

    /// Goes on after a durable snapshot with that history.
    pub(crate) fn reset(
        &mut self,
        base: EntryId,
        history: EpochHistory,
        fx: &mut Effects<Message>,
    ) {
        let stream = STREAM;
        fx.log(LogOp::Reset { stream, base });
        *self = Self::new(base, self.wall, history, VecDeque::new());
    }

    /// What a successor may be given: never more than is durable here. So each log holds the whole of
    /// the next one (van Renesse and Schneider: Update Propagation Invariant), and nothing that was
    /// passed on is ever taken back.
    pub(crate) fn may_be_forwarded(&self) -> Lsn {
        #[cfg(test)]
        if crate::planted::is_planted(crate::planted::Bug::ForwardBeforeDurable) {
            return self.last.lsn;
        }
        self.durable
    }

    /// Every operation up to `seq` is durable.
    pub(crate) fn on_durable(&mut self, seq: LogSeq) {
        while let Some((_, upto)) = self.marks.pop_front_if(|(mark, _)| *mark <= seq) {
            self.durable = self.durable.max(upto);
        }
    }

    /// The name of the record at `lsn`.
    pub(crate) fn id_at(&self, lsn: Lsn) -> EntryId {
        EntryId::new(self.history.epoch_at(lsn), lsn)
    }

    /// Whether this log holds, or once held, exactly that record, and so everything before it.
    pub(crate) fn contains(&self, id: EntryId) -> bool {
        id.lsn <= self.last.lsn && self.id_at(id.lsn) == id
    }

    /// The entries from the record at `lsn` on, when they are in memory.
    pub(crate) fn from(&self, lsn: Lsn) -> Option<impl Iterator<Item = &Entry>> {
        let index = self.recent.partition_point(|entry| entry.first < lsn);
        let found = self.recent.get(index)?;
        (found.first == lsn).then(|| self.recent.range(index..))
    }

    /// Takes the oldest entry that is not applied yet, if it ends at or before `upto`.
    pub(crate) fn take_next(&mut self, upto: Lsn) -> Option<Entry> {
        self.recent.pop_front_if(|entry| entry.last_lsn() <= upto)
    }

    /// A durable snapshot of what this log holds too has taken the place of everything up to `applied`.
    pub(crate) fn skip_to(&mut self, applied: Lsn) {
        while self.take_next(applied).is_some() {}
        self.durable = self.durable.max(applied);
    }
}
