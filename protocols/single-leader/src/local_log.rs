//! This replica's own log: its extent, which leadership made which part, and how much is durable.

use std::collections::VecDeque;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Durability, Effects, Entry, EntryId, EpochHistory, LogOp, LogSeq, Lsn, StreamId, Wall,
};

use crate::Message;
use crate::discards::common_end;
use crate::roll::{Logged, Roll};
use crate::window::Window;

/// The only stream of the log.
pub(crate) const STREAM: StreamId = StreamId(0);

/// This replica's own log.
#[derive(Debug)]
pub(crate) struct LocalLog {
    durability: Durability,
    /// The record before the first entry.
    base: EntryId,
    last: EntryId,
    /// Everything up to here has reached the keyspace's medium.
    durable: Lsn,
    /// The time of the last entry.
    wall: Wall,
    /// Which leadership made which part, from the very first record on.
    history: EpochHistory,
    /// Who belongs to the group.
    roll: Roll,
    window: Window,
    /// Once the operation is durable, so is everything up to the record.
    marks: VecDeque<(LogSeq, Lsn)>,
}

/// Where a log stood when the replica booted.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) durability: Durability,
    pub(crate) base: EntryId,
    pub(crate) last: EntryId,
    pub(crate) wall: Wall,
    pub(crate) history: EpochHistory,
    pub(crate) roll: Roll,
    pub(crate) window: Window,
}

impl LocalLog {
    /// The log as it was recovered: all of it is durable.
    pub(crate) fn recovered(extent: Extent) -> Self {
        Self {
            durability: extent.durability,
            base: extent.base,
            last: extent.last,
            durable: extent.last.lsn,
            wall: extent.wall,
            history: extent.history,
            roll: extent.roll,
            window: extent.window,
            marks: VecDeque::new(),
        }
    }

    pub(crate) const fn base(&self) -> EntryId {
        self.base
    }

    pub(crate) const fn last(&self) -> EntryId {
        self.last
    }

    pub(crate) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// Operations that have not reached their medium yet.
    pub(crate) fn behind(&self) -> usize {
        self.marks.len()
    }

    pub(crate) const fn wall(&self) -> Wall {
        self.wall
    }

    pub(crate) const fn roll(&self) -> &Roll {
        &self.roll
    }

    pub(crate) const fn roll_mut(&mut self) -> &mut Roll {
        &mut self.roll
    }

    pub(crate) const fn window(&self) -> &Window {
        &self.window
    }

    /// Adds an entry at the end.
    pub(crate) fn append(&mut self, entry: Entry, fx: &mut Effects<Message>) {
        assert_eq!(entry.first, self.last.lsn.next(), "the log has no holes");
        assert!(entry.epoch >= self.last.epoch, "epochs never go back");
        self.history.note(entry.epoch, entry.first);
        self.last = entry.last();
        self.wall = entry.wall;
        self.roll.append(&entry);
        self.window.push(entry.clone());
        let seq = fx.log(LogOp::Append {
            stream: STREAM,
            entry,
        });
        self.mark(seq);
    }

    /// Drops everything after `last`, which must not be visible.
    pub(crate) fn truncate(&mut self, last: Lsn, fx: &mut Effects<Message>) {
        assert!(
            last >= self.base.lsn,
            "what a snapshot covers is not truncated"
        );
        assert!(last < self.last.lsn, "there is something to truncate");
        if !planted(Bug::TruncateKeepsEpochs) {
            self.history.truncate(last);
        }
        self.last = EntryId::new(self.history.epoch_at(last), last);
        self.durable = self.durable.min(last);
        self.marks.retain(|(_, upto)| *upto <= last);
        self.window.truncate(last);
        self.roll.truncate(last);
        fx.log(LogOp::Truncate {
            stream: STREAM,
            last,
        });
    }

    /// Goes on after a snapshot with that history and those members.
    pub(crate) fn reset(
        &mut self,
        base: EntryId,
        (history, logged): (EpochHistory, Vec<Logged>),
        fx: &mut Effects<Message>,
    ) {
        (self.base, self.last) = (base, base);
        self.durable = Lsn::ZERO;
        self.history = history;
        self.roll.replace(logged);
        self.window.clear();
        self.marks.clear();
        let seq = fx.log(LogOp::Reset {
            stream: STREAM,
            base,
        });
        self.mark(seq);
    }

    /// Everything up to the log's end is durable once `seq` is; in memory it is at once.
    fn mark(&mut self, seq: LogSeq) {
        match self.durability {
            Durability::Memory => self.durable = self.last.lsn,
            Durability::Os | Durability::Disk => self.marks.push_back((seq, self.last.lsn)),
        }
    }

    /// Every operation up to `seq` is durable.
    pub(crate) fn on_durable(&mut self, seq: LogSeq) {
        while let Some((_, upto)) = self.marks.pop_front_if(|(mark, _)| *mark <= seq) {
            self.durable = self.durable.max(upto);
        }
    }

    /// Gives up memory for entries that nobody here needs: applied, and safe to read back.
    pub(crate) fn evict(&mut self, applied: Lsn) {
        self.window.evict(applied.min(self.durable));
    }

    /// The name of the record at `lsn`, which the log reaches.
    pub(crate) fn id_at(&self, lsn: Lsn) -> EntryId {
        if lsn == self.base.lsn {
            return self.base;
        }
        EntryId::new(self.history.epoch_at(lsn), lsn)
    }

    /// Whether this log holds, or once held, exactly that record. Then it matches everything
    /// before it too (Raft §5.3, Log Matching). Trimmed records count: the epochs of the whole
    /// history are known.
    pub(crate) fn contains(&self, id: EntryId) -> bool {
        id.lsn <= self.last.lsn && self.id_at(id.lsn) == id
    }

    /// Up to where this log and a history that ends at `upto` are one.
    pub(crate) fn common_with(&self, history: &EpochHistory, upto: Lsn) -> Lsn {
        common_end(&self.history, history, (self.last.lsn, upto))
    }

    /// Whether this log holds that record or begins after it, and holds in memory what follows it.
    pub(crate) fn goes_on_after(&self, id: EntryId) -> bool {
        let is_at_end = id.lsn == self.last.lsn;
        let is_followed = is_at_end || self.window.from(id.lsn.next()).is_some();
        id.lsn >= self.base.lsn && self.contains(id) && is_followed
    }

    /// The newest record of this log, at or before `id`, that a log which holds `id` could hold as
    /// well: the last one that no later leadership made. One exchange skips a whole epoch
    /// (etcd raft, `findConflictByTerm`).
    pub(crate) fn newest_common(&self, id: EntryId) -> EntryId {
        let mut lsn = id.lsn.min(self.last.lsn);
        let later = self
            .history
            .starts()
            .iter()
            .find(|(epoch, _)| *epoch > id.epoch);
        if let Some((_, first)) = later {
            lsn = lsn.min(Lsn(first.0.saturating_sub(1)));
        }
        self.id_at(lsn)
    }

    /// Asserts what must hold between any two inputs.
    pub(crate) fn check(&self) {
        assert!(
            self.base.lsn <= self.last.lsn,
            "the log starts before it ends"
        );
        assert!(
            self.durable <= self.last.lsn,
            "what is durable is in the log"
        );
        assert!(
            self.history
                .starts()
                .last()
                .is_none_or(|start| start.1 <= self.last.lsn)
                || planted(Bug::TruncateKeepsEpochs),
            "the epoch history ends with the log"
        );
    }
}
