//! Changes of the members (SL11): one voter more or fewer at a time, each after the one before and an
//! entry of the leader's own epoch are visible; and what is acknowledged is held by voters.

use repertoire_core::{Acks, Entry, EntryId, EntryKind, Membership, MembershipView};

use crate::invariants::Findings;
use crate::invariants::log_matching::Place;
use crate::watch::Extent;

const ID: &str = "SL11.members";

/// A change that some leader appended.
#[derive(Debug)]
struct Change {
    at: EntryId,
    voters: Vec<u64>,
}

/// Every change of one keyspace's members.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    founders: Vec<u64>,
    known: Vec<Change>,
    /// The first entry of each epoch.
    barriers: Vec<EntryId>,
    /// Changes that some replica has made visible, by position.
    visible: Vec<EntryId>,
}

fn voters(group: &Membership) -> Vec<u64> {
    let mut voters: Vec<u64> = group.voters().map(|node| node.0).collect();
    voters.sort_unstable();
    voters
}

impl Changes {
    pub(crate) fn founded_by(group: &Membership) -> Self {
        Self {
            founders: voters(group),
            ..Self::default()
        }
    }

    /// Judges an entry that joins a log whose extent is `written`; everything up to `visible` was
    /// applied somewhere.
    pub(crate) fn judge(
        &mut self,
        at: Place,
        entry: &Entry,
        written: &Extent,
        visible: u64,
        findings: &mut Findings,
    ) {
        let id = entry.last();
        match entry.kind {
            EntryKind::Barrier if !self.barriers.contains(&id) => self.barriers.push(id),
            EntryKind::Config if self.known.iter().all(|change| change.at != id) => {
                let Some(group) = Membership::decode(&entry.body) else {
                    findings.add(ID, || format!("{at:?}: the members at {id} do not decode"));
                    return;
                };
                let voters = voters(&group);
                self.judge_change(at, id, &voters, written, visible, findings);
                self.known.push(Change { at: id, voters });
            }
            EntryKind::Barrier | EntryKind::Config | EntryKind::Records | EntryKind::SyncSet => {}
        }
    }

    /// A replica whose log has the extent `written` has applied everything up to `applied`.
    pub(crate) fn note_visible(&mut self, written: &Extent, applied: u64) {
        for change in self.known.iter().rev() {
            let is_held = change.at.lsn.0 > written.base() && written.holds(change.at);
            if is_held && change.at.lsn.0 <= applied && !self.visible.contains(&change.at) {
                self.visible.push(change.at);
            }
        }
    }

    /// A replica goes by the change at `at` for good.
    pub(crate) fn note_settled(&mut self, at: EntryId) {
        if !self.visible.contains(&at) {
            self.visible.push(at);
        }
    }

    fn judge_change(
        &self,
        at: Place,
        id: EntryId,
        voters: &[u64],
        written: &Extent,
        visible: u64,
        findings: &mut Findings,
    ) {
        // Below an installed snapshot a log tells nothing of what it holds.
        let is_held = |change: &&Change| {
            let is_base = written.epoch_at(change.at.lsn.0) == change.at.epoch.0;
            let is_below =
                change.at.lsn.0 < written.base() || change.at.lsn.0 == written.base() && !is_base;
            written.holds(change.at) && (!is_below || self.visible.contains(&change.at))
        };
        let held = self.known.iter().filter(is_held);
        let before = held.max_by_key(|change| change.at.lsn);
        let (last, former) = before.map_or((0, self.founders.as_slice()), |change| {
            (change.at.lsn.0, change.voters.as_slice())
        });
        findings.require(last <= visible, ID, || {
            format!("{at:?}: changes the members at {id}, and those of {last} are not visible")
        });
        let differ = |a: &[u64], b: &[u64]| a.iter().filter(|node| !b.contains(node)).count();
        let steps = differ(voters, former) + differ(former, voters);
        findings.require(steps <= 1, ID, || {
            format!("{at:?}: the voters go from {former:?} to {voters:?} at once, at {id}")
        });
        let own = self
            .barriers
            .iter()
            .find(|barrier| barrier.epoch == id.epoch);
        findings.require(own.is_some_and(|own| own.lsn.0 <= visible), ID, || {
            format!("{at:?}: changes the members at {id} before an entry of its own is visible")
        });
    }
}

fn fewest(view: &MembershipView, count: impl Fn(usize) -> usize) -> usize {
    let groups = std::iter::once(&view.membership).chain(&view.former);
    let counts = groups.map(|group| count(group.voters().count()));
    counts.min().unwrap_or(1)
}

/// Copies that an acknowledgement promises.
pub(crate) fn promised(acks: Acks, view: &MembershipView) -> usize {
    fewest(view, |voters| acks.copies(voters).min(voters))
}

/// Voters that have to hold what was acknowledged at any time, so that every majority which has as many
/// votes as the acknowledgements want meets one of them. A removal may leave fewer than were promised.
pub(crate) fn protecting(acks: Acks, view: &MembershipView) -> usize {
    fewest(view, |voters| acks.copies(voters).min(voters - voters / 2))
}

/// Judges that enough voters hold a record that is acknowledged.
pub(crate) fn judge_ack(
    at: Place,
    position: EntryId,
    needed: usize,
    view: &MembershipView,
    holds: impl Fn(u64) -> bool,
    findings: &mut Findings,
) {
    let groups = std::iter::once(&view.membership).chain(&view.former);
    let mut voters: Vec<u64> = groups.flat_map(Membership::voters).map(|n| n.0).collect();
    voters.sort_unstable();
    voters.dedup();
    let held = voters.iter().filter(|node| holds(**node)).count();
    findings.require(held >= needed, ID, || {
        format!("{at:?}: acknowledges {position}, which {held} of {voters:?} hold, not {needed}")
    });
}

#[cfg(test)]
mod tests {
    use repertoire_core::{LeaderEpoch, LogOp, Lsn, NodeId, ReplicaSpec, StreamId};

    use super::*;

    fn entry(kind: EntryKind, epoch: u64, first: u64, nodes: &[u64]) -> Entry {
        let specs: Vec<_> = nodes.iter().map(|n| ReplicaSpec::on(NodeId(*n))).collect();
        Entry {
            epoch: LeaderEpoch(epoch),
            first: Lsn(first),
            count: 1,
            kind,
            body: Membership::founders(&specs).encode(),
            ..Entry::default()
        }
    }

    /// Whether appending these entries in their order, with so much visible, is found to be wrong.
    fn is_wrong(entries: &[(Entry, u64)]) -> bool {
        let specs: Vec<_> = (1..=3).map(|n| ReplicaSpec::on(NodeId(n))).collect();
        let mut changes = Changes::founded_by(&Membership::founders(&specs));
        let (mut log, mut findings) = (Extent::default(), Findings::default());
        let at = Place { node: 0, group: 0 };
        for (entry, visible) in entries {
            changes.judge(at, entry, &log, *visible, &mut findings);
            let (stream, entry) = (StreamId(0), entry.clone());
            log.apply(&LogOp::Append { stream, entry });
        }
        !findings.is_empty()
    }

    #[test]
    fn hasty_and_large_changes_are_found() {
        let barrier = entry(EntryKind::Barrier, 1, 1, &[1]);
        let grown = entry(EntryKind::Config, 1, 2, &[1, 2, 3, 4]);
        let back = entry(EntryKind::Config, 1, 3, &[1, 2, 3]);
        assert!(!is_wrong(&[
            (barrier.clone(), 0),
            (grown.clone(), 1),
            (back.clone(), 2)
        ]));
        assert!(is_wrong(&[(barrier.clone(), 0), (grown.clone(), 0)]));
        assert!(is_wrong(&[(barrier.clone(), 0), (grown, 1), (back, 1)]));
        let large = entry(EntryKind::Config, 1, 2, &[1, 2]);
        assert!(!is_wrong(&[(barrier.clone(), 0), (large, 1)]));
        let swapped = entry(EntryKind::Config, 1, 2, &[1, 2, 4]);
        assert!(is_wrong(&[(barrier, 0), (swapped, 1)]));
    }
}
