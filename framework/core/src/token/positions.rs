//! What a session has seen of each group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntryId, GroupId, LeaderEpoch, Lsn, Position};

/// Most groups of which a session keeps positions; the rest is read from leaders.
pub const GROUPS_MAX: usize = 32;

/// Most positions of one group: each is of another leadership, and one read makes them one again.
pub const EPOCHS_MAX: usize = 4;

/// What a read must see so that a session keeps its guarantees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Anything: the session has seen nothing of the group.
    Nothing,
    /// A replica that contains this position.
    Contains(Position),
    /// The leader: the session may have seen more than it could keep.
    Leader,
}

/// Per group, the newest position of each leadership that a session has written or read in.
///
/// Positions of one leadership are merged by maximum. Those of several are all kept until a read
/// shows that one history contains them: the newer one says nothing of whether the older survived
/// the failover between them. Groups beyond [`GROUPS_MAX`] are not kept; the session then reads from
/// the leader whatever it holds no position of, and so keeps its guarantees all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct SessionPositions {
    groups: BTreeMap<GroupId, Vec<EntryId>>,
    is_escalated: bool,
}

impl SessionPositions {
    /// The session has written or read at this position. The position before the first record says
    /// nothing and is not kept.
    pub fn note(&mut self, group: GroupId, at: EntryId) {
        if at.lsn == Lsn::ZERO {
            return;
        }
        if !self.groups.contains_key(&group) && self.groups.len() >= GROUPS_MAX {
            self.is_escalated = true;
            return;
        }
        let positions = self.groups.entry(group).or_default();
        match positions.binary_search_by_key(&at.epoch, |known| known.epoch) {
            Ok(place) => {
                if let Some(known) = positions.get_mut(place) {
                    known.lsn = known.lsn.max(at.lsn);
                }
            }
            Err(place) => positions.insert(place, at),
        }
        if positions.len() > EPOCHS_MAX {
            self.groups.remove(&group);
            self.is_escalated = true;
        }
    }

    /// A read that asked for `asked` was answered at `at`: that history contains what was asked for.
    pub fn note_read(&mut self, group: GroupId, asked: &Need, at: EntryId) {
        if let (Need::Contains(asked), Some(positions)) = (asked, self.groups.get_mut(&group)) {
            let asked = entries(asked);
            let is_shown = |known: &EntryId| {
                let same = |asked: &&EntryId| asked.epoch == known.epoch;
                asked
                    .iter()
                    .find(same)
                    .is_some_and(|asked| asked.lsn >= known.lsn)
            };
            positions.retain(|known| !is_shown(known));
            if positions.is_empty() {
                self.groups.remove(&group);
            }
        }
        self.note(group, at);
    }

    /// What the next read of the group must see.
    pub fn need(&self, group: GroupId) -> Need {
        match self.groups.get(&group).map(Vec::as_slice) {
            Some([only]) => Need::Contains(Position::Entry(*only)),
            Some(several) => Need::Contains(Position::Entries(several.to_vec())),
            None if self.is_escalated => Need::Leader,
            None => Need::Nothing,
        }
    }

    /// Takes over what another session has seen: a session that goes on from both.
    pub fn merge(&mut self, other: &Self) {
        self.is_escalated |= other.is_escalated;
        for (group, positions) in &other.groups {
            for at in positions {
                self.note(*group, *at);
            }
        }
    }

    /// The position was discarded and whoever holds the session knows it: it is not asked for again.
    pub fn forget(&mut self, group: GroupId, discarded: EntryId) {
        if let Some(positions) = self.groups.get_mut(&group) {
            positions.retain(|known| *known != discarded);
            if positions.is_empty() {
                self.groups.remove(&group);
            }
        }
    }

    /// Whether the session has seen more than it could keep.
    pub const fn is_escalated(&self) -> bool {
        self.is_escalated
    }

    /// The groups, with the newest position of each leadership, oldest first.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &[EntryId])> {
        self.groups
            .iter()
            .map(|(group, at)| (*group, at.as_slice()))
    }
}

fn entries(position: &Position) -> &[EntryId] {
    match position {
        Position::Entry(only) => std::slice::from_ref(only),
        Position::Entries(several) => several,
        Position::Frontier(_) | Position::Dots(_) => &[],
    }
}

/// How positions are written: flat, so that both postcard and JSON can hold them.
#[derive(Clone, Serialize, Deserialize)]
struct Form {
    groups: Vec<GroupForm>,
    is_escalated: bool,
}

#[derive(Clone, Serialize, Deserialize)]
struct GroupForm {
    group: GroupId,
    at: Vec<(LeaderEpoch, Lsn)>,
}

impl From<SessionPositions> for Form {
    fn from(positions: SessionPositions) -> Self {
        let groups = positions.groups.into_iter();
        let groups = groups.map(|(group, at)| GroupForm {
            group,
            at: at.into_iter().map(|at| (at.epoch, at.lsn)).collect(),
        });
        Self {
            groups: groups.collect(),
            is_escalated: positions.is_escalated,
        }
    }
}

impl TryFrom<Form> for SessionPositions {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        if form.groups.len() > GROUPS_MAX {
            return Err("more groups than a session keeps");
        }
        let mut positions = Self::default();
        for GroupForm { group, at } in form.groups {
            if at.len() > EPOCHS_MAX {
                return Err("more leaderships than a session keeps");
            }
            for (epoch, lsn) in at {
                positions.note(group, EntryId::new(epoch, lsn));
            }
        }
        positions.is_escalated |= form.is_escalated;
        Ok(positions)
    }
}
