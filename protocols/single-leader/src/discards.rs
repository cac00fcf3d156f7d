//! Writes that another leadership takes back: journaled before the log loses them.
//!
//! What this replica's log holds beyond the present leader's goes, by a truncation or because a
//! snapshot takes the log's place. Clients may have been told that those writes are done (where the
//! keyspace waits for no copies), or may still wait. So they are appended to the journal first, in the
//! lane of the log's own operations; see [`repertoire_core::discards`].

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Containment, Effects, Entry, EntryId, EpochHistory, Journal, LeaderEpoch, Lsn, Settlement,
};

use crate::Message;
use crate::replica::SingleLeader;
use crate::state::State;

impl State {
    // ANCHOR: truncate
    /// Drops a tail that the present leader does not have, and that was never visible.
    pub(crate) fn truncate(&mut self, last: Lsn, fx: &mut Effects<Message>) {
        // Whatever was not visible is in memory.
        let tail = self.log.window().from(last.next());
        let tail: Vec<Entry> = tail.into_iter().flatten().cloned().collect();
        if planted(Bug::TruncatesBeforeJournal) {
            self.log.truncate(last, fx);
            discard(&mut self.journal, &tail, Lsn::ZERO, fx);
            return;
        }
        discard(&mut self.journal, &tail, Lsn::ZERO, fx);
        self.log.truncate(last, fx);
    }
    // ANCHOR_END: truncate

    /// Journals what the log holds and the history of an installed snapshot of `position` does not.
    /// Of what lies beyond the snapshot nobody here can tell: it is journaled, and taken out again
    /// when the leader sends it.
    pub(crate) fn discard_replaced(
        &mut self,
        position: EntryId,
        history: &EpochHistory,
        was_visible: Lsn,
        fx: &mut Effects<Message>,
    ) {
        if planted(Bug::ResetUnjournaled) {
            return;
        }
        let common = self.log.common_with(history, position.lsn);
        if common >= self.log.last().lsn {
            return;
        }
        let in_memory = self.log.window().first();
        let listed = in_memory.unwrap_or(self.log.last().lsn.next());
        if common.next() < listed {
            // Applied so long ago that it is not in memory any more.
            let first = self.log.id_at(common.next());
            self.journal.forgo(first, listed.since(common.next()), fx);
        }
        let tail = self.log.window().from(listed.max(common.next()));
        let tail: Vec<Entry> = tail.into_iter().flatten().cloned().collect();
        discard(&mut self.journal, &tail, was_visible, fx);
    }
}

fn discard(journal: &mut Journal, tail: &[Entry], was_visible: Lsn, fx: &mut Effects<Message>) {
    for entry in tail {
        journal.discard(entry, entry.last_lsn() <= was_visible, fx);
    }
}

/// Journals what the log of a replica held whose state is a snapshot of another history: the process
/// ended after that was installed, and before the log was told.
pub(crate) fn discard_abandoned(
    journal: &mut Journal,
    tail: &[Entry],
    (history, upto): (&EpochHistory, Lsn),
    fx: &mut Effects<Message>,
) {
    let is_held = |entry: &&Entry| history.contains(entry.last(), upto) == Containment::Contained;
    for entry in tail.iter().skip_while(is_held) {
        journal.discard(entry, false, fx);
    }
}

/// Up to where two histories are one: the last record that both made in the same epoch (log matching).
/// They go as far as `ends`.
pub(crate) fn common_end(one: &EpochHistory, other: &EpochHistory, ends: (Lsn, Lsn)) -> Lsn {
    let mut at = ends.0.min(ends.1);
    while at > Lsn::ZERO {
        let (mine, theirs) = (one.epoch_at(at), other.epoch_at(at));
        if mine == theirs {
            return at;
        }
        // The older of two epochs that meet at a place ended before the newer began there.
        let newer = if mine > theirs { one } else { other };
        at = before(newer, mine.max(theirs));
    }
    Lsn::ZERO
}

/// The last record before `epoch` begins.
fn before(history: &EpochHistory, epoch: LeaderEpoch) -> Lsn {
    let start = history.starts().iter().find(|start| start.0 == epoch);
    start.map_or(Lsn::ZERO, |start| Lsn(start.1.0.saturating_sub(1)))
}

impl SingleLeader {
    pub(crate) fn settle_discards(
        &mut self,
        records: &[EntryId],
        how: Settlement,
        fx: &mut Effects<Message>,
    ) -> usize {
        self.state.journal.settle(records, how, fx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(starts: &[(u64, u64)]) -> EpochHistory {
        let mut history = EpochHistory::default();
        for (epoch, first) in starts {
            history.note(LeaderEpoch(*epoch), Lsn(*first));
        }
        history
    }

    #[test]
    fn histories_part_where_epochs_do() {
        let ends = |a, b| (Lsn(a), Lsn(b));
        let old = history(&[(1, 1), (3, 40)]);
        let cases = [
            (history(&[(1, 1), (5, 71)]), ends(100, 80), 39),
            (history(&[(1, 1), (3, 40), (5, 71)]), ends(100, 80), 70),
            (history(&[(1, 1), (3, 40), (5, 71)]), ends(60, 80), 60),
            (history(&[(1, 1), (3, 40)]), ends(100, 60), 60),
            (history(&[(2, 1)]), ends(100, 60), 0),
            (EpochHistory::default(), ends(100, 60), 0),
        ];
        for (other, ends, expected) in cases {
            assert_eq!(common_end(&old, &other, ends), Lsn(expected), "{other:?}");
            let swapped = (ends.1, ends.0);
            assert_eq!(
                common_end(&other, &old, swapped),
                Lsn(expected),
                "{other:?}"
            );
        }
    }
}
