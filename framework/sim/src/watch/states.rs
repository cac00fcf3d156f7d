//! Which extents a log may be found at after a failure: those after each operation since the last
//! sync, because operations survive in their order or not at all.

use repertoire_core::{EntryId, LogOp};

use super::Extent;

#[derive(Clone, Debug)]
struct State {
    last: u64,
    epoch: u64,
    /// The extent before an operation that shortened or replaced the log.
    before: Option<Extent>,
}

/// The written extent of one replica's log, and what it may fall back to.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogStates {
    /// As of the last operation written.
    pub(crate) written: Extent,
    /// As of the last sync.
    pub(crate) durable: Extent,
    /// Where the log ended at the last sync but one: what the log itself has written down as synced.
    settled: u64,
    /// What acknowledgements counted before bits of it flipped, durable or written: they count it again
    /// when they are repeated.
    pub(crate) rotten: Extent,
    since_sync: Vec<State>,
}

impl LogStates {
    /// An operation was written.
    pub(crate) fn write(&mut self, op: &LogOp) {
        let before = match op {
            LogOp::Append { .. } => None,
            LogOp::Truncate { .. } | LogOp::Reset { .. } => Some(self.written.clone()),
            LogOp::HardState(_) | LogOp::Checkpoint { .. } | LogOp::Repaired => return,
        };
        self.written.apply(op);
        self.since_sync.push(State {
            last: self.written.last(),
            epoch: self.written.last_epoch(),
            before,
        });
    }

    /// Everything written is on stable storage.
    pub(crate) fn sync(&mut self) {
        self.settled = self.durable.last();
        if !self.since_sync.is_empty() {
            self.since_sync.clear();
            self.durable.clone_from(&self.written);
        }
    }

    /// The log was found to end with `last` after bits of it flipped. Returns whether it reaches to
    /// where nothing can be taken for a torn tail. `counts_written`: what was only written counted.
    pub(crate) fn recover_rotten(&mut self, last: EntryId, counts_written: bool) -> bool {
        // A truncation that was not synced may have survived as well.
        let settled = self.settled.min(self.durable.last());
        let shortest = self.since_sync.iter().map(|state| state.last).min();
        let is_whole = last.lsn.0 >= shortest.map_or(settled, |last| last.min(settled));
        let counted = if counts_written {
            &self.written
        } else {
            &self.durable
        };
        if counted.last() > self.rotten.last() {
            self.rotten.clone_from(counted);
        }
        self.since_sync.clear();
        if (self.written.last(), self.written.last_epoch()) != (last.lsn.0, last.epoch.0) {
            self.written.fall_back(last);
        }
        self.durable.clone_from(&self.written);
        // A full disk puts off writing down what recovery has found.
        self.settled = self.settled.min(self.durable.last());
        is_whole
    }

    /// The log was found to end with `last`. Falls back to that extent, and returns whether it is
    /// one that the log may be found at. Recovery has made it durable.
    pub(crate) fn recover(&mut self, last: EntryId, may_lose: bool) -> bool {
        let found = |at: &Extent| (at.last(), at.last_epoch()) == (last.lsn.0, last.epoch.0);
        let is_written = found(&self.written);
        let mut is_possible = is_written;
        if !is_written && may_lose {
            let same = |state: &State| (state.last, state.epoch) == (last.lsn.0, last.epoch.0);
            let place = self.since_sync.iter().rposition(same);
            is_possible = place.is_some() || found(&self.durable);
            let from = place.map_or(0, |place| place + 1);
            let later = self
                .since_sync
                .iter()
                .skip(from)
                .find_map(|state| state.before.clone());
            self.written = later.unwrap_or_else(|| self.written.clone());
            self.written.recovered(last.lsn.0);
        }
        if !found(&self.written) {
            self.written.fall_back(last);
        }
        self.since_sync.clear();
        self.durable.clone_from(&self.written);
        // A full disk puts off writing down what recovery has found.
        self.settled = self.settled.min(self.durable.last());
        is_possible
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repertoire_core::{Entry, LeaderEpoch, Lsn, StreamId};

    const STREAM: StreamId = StreamId(0);

    fn append(states: &mut LogStates, epoch: u64, first: u64) {
        let entry = Entry {
            epoch: LeaderEpoch(epoch),
            first: Lsn(first),
            count: 1,
            ..Entry::default()
        };
        let stream = STREAM;
        states.write(&LogOp::Append { stream, entry });
    }

    #[test]
    fn any_state_since_the_sync_may_be_found_and_nothing_else() {
        let at = |epoch, lsn| EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
        let mut states = LogStates::default();
        append(&mut states, 1, 1);
        append(&mut states, 1, 2);
        states.sync();
        states.write(&LogOp::Truncate {
            stream: STREAM,
            last: Lsn(1),
        });
        append(&mut states, 2, 2);
        for (last, is_possible) in [(at(1, 2), true), (at(1, 1), true), (at(2, 2), true)] {
            assert_eq!(states.clone().recover(last, true), is_possible, "{last}");
        }
        assert!(!states.clone().recover(at(1, 3), true));
        assert!(!states.clone().recover(at(0, 0), true));
        assert!(!states.clone().recover(at(1, 2), false));
        assert!(states.recover(at(1, 2), true));
        assert!(states.durable.holds(at(1, 2)));
    }
}
