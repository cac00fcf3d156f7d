//! Who belongs to the group, as this replica's log says: the newest membership in the log is in force,
//! visible or not, and the one before it comes back when the log's end is cut off (Ongaro's
//! dissertation, §4.1).

use serde::{Deserialize, Serialize};

use repertoire_core::{Entry, EntryId, EntryKind, Lsn, Membership, NodeId};

/// Visible memberships that are kept: those that one batch makes visible, and the one before them, so
/// that a state in the middle of the batch has its own.
const KEPT: usize = 8;

/// Entries of kind `Config` that are made visible in one batch, at most.
pub(crate) const BATCH_MAX: usize = KEPT - 1;

/// A membership, and the entry that put it in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logged {
    pub(crate) at: EntryId,
    pub(crate) membership: Membership,
}

/// The memberships of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    /// Those that the group was founded with.
    founders: Membership,
    /// Ascending.
    logged: Vec<Logged>,
}

impl Roll {
    pub(crate) const fn new(founders: Membership, logged: Vec<Logged>) -> Self {
        Self { founders, logged }
    }

    /// The membership in force.
    pub(crate) fn current(&self) -> &Membership {
        let newest = self.logged.last();
        newest.map_or(&self.founders, |logged| &logged.membership)
    }

    /// The entry that put it in force; zero for the founders.
    pub(crate) fn at(&self) -> EntryId {
        self.logged.last().map_or(EntryId::ZERO, |logged| logged.at)
    }

    /// Whether members have ever changed, as far as the log goes.
    pub(crate) const fn is_logged(&self) -> bool {
        !self.logged.is_empty()
    }

    /// The membership before the one in force, while that may still be taken back: it is not known to
    /// be visible, and `settled` is how far that is known.
    pub(crate) fn former(&self, settled: Lsn) -> Option<&Membership> {
        let (_, before) = self.logged.split_last()?;
        if self.at().lsn <= settled {
            return None;
        }
        let before = before.last();
        Some(before.map_or(&self.founders, |logged| &logged.membership))
    }

    /// Whether some membership here names that node.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        let mut all = self.logged.iter().map(|logged| &logged.membership);
        self.founders.member(node).is_some() || all.any(|group| group.member(node).is_some())
    }

    /// An entry joins the log.
    pub(crate) fn append(&mut self, entry: &Entry) {
        if entry.kind == EntryKind::Config
            && let Some(membership) = Membership::decode(&entry.body)
        {
            let at = entry.last();
            self.logged.push(Logged { at, membership });
        }
    }

    /// Everything after `last` left the log.
    pub(crate) fn truncate(&mut self, last: Lsn) {
        self.logged.retain(|logged| logged.at.lsn <= last);
    }

    /// A snapshot took the log's place.
    pub(crate) fn replace(&mut self, logged: Vec<Logged>) {
        self.logged = logged;
    }

    /// Everything up to `applied` is visible: forgets what no state needs any more.
    pub(crate) fn forget(&mut self, applied: Lsn) {
        let visible = self.logged.iter().filter(|l| l.at.lsn <= applied).count();
        self.logged.drain(..visible.saturating_sub(KEPT));
    }

    /// The visible ones.
    pub(crate) fn visible(&self, applied: Lsn) -> &[Logged] {
        let visible = self.logged.iter().filter(|l| l.at.lsn <= applied).count();
        self.logged.get(..visible).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use repertoire_core::{LeaderEpoch, ReplicaSpec};

    use super::*;

    fn config(lsn: u64, nodes: &[u64]) -> Entry {
        let specs: Vec<_> = nodes.iter().map(|n| ReplicaSpec::on(NodeId(*n))).collect();
        Entry {
            epoch: LeaderEpoch(1),
            first: Lsn(lsn),
            count: 1,
            kind: EntryKind::Config,
            body: Membership::founders(&specs).encode(),
            ..Entry::default()
        }
    }

    fn voters(group: Option<&Membership>) -> Vec<u64> {
        group.map_or(vec![], |group| group.voters().map(|node| node.0).collect())
    }

    #[test]
    fn the_newest_one_is_in_force_until_it_is_cut_off() {
        let founders = Membership::decode(&config(1, &[1, 2, 3]).body).unwrap();
        let mut roll = Roll::new(founders, vec![]);
        assert_eq!(voters(roll.former(Lsn(0))), Vec::<u64>::new());
        roll.append(&config(5, &[1, 2]));
        assert_eq!(voters(Some(roll.current())), [1, 2]);
        assert_eq!(voters(roll.former(Lsn(4))), [1, 2, 3]);
        assert_eq!(voters(roll.former(Lsn(5))), Vec::<u64>::new());
        roll.append(&config(9, &[1]));
        assert_eq!(voters(roll.former(Lsn(0))), [1, 2]);
        roll.truncate(Lsn(8));
        assert_eq!(voters(Some(roll.current())), [1, 2]);
        roll.truncate(Lsn(4));
        assert_eq!(voters(Some(roll.current())), [1, 2, 3]);
    }

    #[test]
    fn states_in_the_middle_of_a_batch_keep_their_membership() {
        let mut roll = Roll::default();
        for lsn in 1..=20 {
            roll.append(&config(lsn, &[lsn]));
        }
        roll.forget(Lsn(18));
        assert_eq!(roll.visible(Lsn(18)).len(), KEPT);
        assert_eq!(roll.visible(Lsn(11)).len(), 1, "the oldest of that batch");
        assert_eq!(voters(Some(roll.current())), [20]);
    }
}
