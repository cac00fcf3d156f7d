//! Who belongs to a group, and how that changes: one member at a time, by an entry of the group's own
//! log.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{EntryId, Incarnation, NodeId, ReplicaRole, ReplicaSpec};

/// Most members of a group.
pub const MEMBERS_MAX: usize = 64;

/// Most former members that are remembered by name. Older ones are still told apart by their disks.
const RETIRED_MAX: usize = 64;

/// What a member counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberRole {
    /// Its copies and its vote count.
    Voter,
    /// A learner that becomes a voter as soon as it has caught up.
    Joining,
    /// Holds the data, counts for nothing.
    Learner,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Where.
    pub node: NodeId,
    /// On which disk. `None` for those that the group was founded with: whoever has that node's name.
    pub incarnation: Option<Incarnation>,
    /// What it counts for.
    pub role: MemberRole,
    /// Who leaves the group once this member votes.
    pub replaces: Option<NodeId>,
}

/// The members of a group: the body of an entry of kind [`Config`](crate::EntryKind::Config).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    members: Vec<GroupMember>,
    /// Who was removed, oldest first, and the disk that it had.
    retired: Vec<(NodeId, Option<Incarnation>)>,
}

/// A wish to change who belongs to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// A node becomes a member: a learner first. It votes once it has caught up, unless it is to stay
    /// a learner.
    Add {
        /// Which.
        node: NodeId,
        /// Its disk, which has never held this group under this name.
        incarnation: Incarnation,
        /// Whether it becomes a voter.
        votes: bool,
        /// Who is removed once it does.
        replaces: Option<NodeId>,
    },
    /// A member leaves, or an addition is called off.
    Remove {
        /// Which.
        node: NodeId,
    },
}

/// Why a change is impossible as things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipFault {
    /// A member of that name has another disk: remove it first.
    IsMember,
    /// A member of that name and that disk was removed: its name comes back with a fresh disk only.
    WasRemoved,
    /// Nobody would be left to lead.
    LastVoter,
    /// More members than a group may have.
    TooMany,
    /// Who is to be replaced is not a voter of the group, or is the new member itself.
    NothingToReplace,
}

impl MembershipFault {
    /// What is wrong, and what to do.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::IsMember => "the node is a member with another disk; remove that one first",
            Self::WasRemoved => {
                "that disk was removed from the group; format it anew to bring it back"
            }
            Self::LastVoter => "no voter would be left; add another one first",
            Self::TooMany => "a group has at most 64 members",
            Self::NothingToReplace => "the node to be replaced is no other voter of the group",
        }
    }
}

/// The membership that a replica goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipView {
    /// The entry that put it in force; zero for the founders.
    pub at: EntryId,
    /// Whether that entry is visible, so that it cannot be taken back any more.
    pub is_settled: bool,
    /// The members.
    pub membership: Membership,
    /// Those before, while the change may be taken back.
    pub former: Option<Membership>,
}

impl Membership {
    /// The members that a descriptor names.
    pub fn founders(replicas: &[ReplicaSpec]) -> Self {
        let members = replicas.iter().filter_map(|spec| {
            let role = match spec.role {
                ReplicaRole::Replica => MemberRole::Voter,
                ReplicaRole::Learner => MemberRole::Learner,
                ReplicaRole::Coordinator | ReplicaRole::Fallback | ReplicaRole::Relay => {
                    return None;
                }
            };
            Some(GroupMember {
                node: spec.node,
                incarnation: spec.incarnation,
                role,
                replaces: None,
            })
        });
        Self {
            members: members.collect(),
            retired: Vec::new(),
        }
    }

    /// All members.
    pub fn members(&self) -> &[GroupMember] {
        &self.members
    }

    /// A member by name.
    pub fn member(&self, node: NodeId) -> Option<&GroupMember> {
        self.members.iter().find(|member| member.node == node)
    }

    /// Who votes.
    pub fn voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        let votes = |member: &&GroupMember| member.role == MemberRole::Voter;
        self.members.iter().filter(votes).map(|member| member.node)
    }

    /// Whether that node votes.
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters().any(|voter| voter == node)
    }

    /// Who was removed, oldest first.
    pub fn retired(&self) -> &[(NodeId, Option<Incarnation>)] {
        &self.retired
    }

    /// The membership after a change; `None` when that is the case already.
    ///
    /// # Errors
    /// [`MembershipFault`]; nothing has changed.
    ///
    /// ```
    /// use repertoire_core::{Incarnation, MemberChange, MemberRole, Membership, NodeId, ReplicaSpec};
    /// let group = Membership::founders(&[1, 2, 3].map(|n| ReplicaSpec::on(NodeId(n))));
    /// let (node, incarnation) = (NodeId(4), Incarnation(7));
    /// let add = MemberChange::Add { node, incarnation, votes: true, replaces: None };
    /// let grown = group.changed(&add)?.expect("a change");
    /// assert_eq!(grown.member(node).map(|member| member.role), Some(MemberRole::Joining));
    /// assert_eq!(grown.voters().count(), 3);
    /// assert_eq!(grown.changed(&add)?, None);
    /// # Ok::<(), repertoire_core::MembershipFault>(())
    /// ```
    pub fn changed(&self, change: &MemberChange) -> Result<Option<Self>, MembershipFault> {
        match *change {
            MemberChange::Add {
                node,
                incarnation,
                votes,
                replaces,
            } => self.with(node, incarnation, votes, replaces),
            MemberChange::Remove { node } => self.without(node),
        }
    }

    fn with(
        &self,
        node: NodeId,
        incarnation: Incarnation,
        votes: bool,
        replaces: Option<NodeId>,
    ) -> Result<Option<Self>, MembershipFault> {
        if self.retired.contains(&(node, Some(incarnation))) {
            return Err(MembershipFault::WasRemoved);
        }
        if replaces.is_some_and(|other| other == node || !self.is_voter(other)) {
            return Err(MembershipFault::NothingToReplace);
        }
        let known = self.member(node);
        if let Some(known) = known {
            let is_same = known.incarnation == Some(incarnation);
            let may_be_named = known.incarnation.is_none() && known.role == MemberRole::Learner;
            if !is_same && !may_be_named {
                return Err(MembershipFault::IsMember);
            }
            let is_done = match known.role {
                MemberRole::Voter => true,
                MemberRole::Joining => votes && known.replaces == replaces,
                MemberRole::Learner => !votes && is_same,
            };
            if is_done {
                return Ok(None);
            }
        } else if self.members.len() >= MEMBERS_MAX {
            return Err(MembershipFault::TooMany);
        }
        let member = GroupMember {
            node,
            incarnation: Some(incarnation),
            role: if votes {
                MemberRole::Joining
            } else {
                MemberRole::Learner
            },
            replaces,
        };
        let mut next = self.clone();
        match next.members.iter_mut().find(|known| known.node == node) {
            Some(known) => *known = member,
            None => next.members.push(member),
        }
        Ok(Some(next))
    }

    fn without(&self, node: NodeId) -> Result<Option<Self>, MembershipFault> {
        let Some(member) = self.member(node) else {
            return Ok(None);
        };
        if member.role == MemberRole::Voter && self.voters().count() == 1 {
            return Err(MembershipFault::LastVoter);
        }
        let mut next = self.clone();
        next.retired.push((node, member.incarnation));
        let over = next.retired.len().saturating_sub(RETIRED_MAX);
        next.retired.drain(..over);
        next.members.retain(|member| member.node != node);
        for member in &mut next.members {
            member.replaces = member.replaces.filter(|other| *other != node);
        }
        Ok(Some(next))
    }

    /// The membership once a joining learner votes; `None` when it is none.
    pub fn promoted(&self, node: NodeId) -> Option<Self> {
        let mut next = self.clone();
        let joins = |member: &&mut GroupMember| {
            member.node == node
                && member.role == MemberRole::Joining
                && member.incarnation.is_some()
        };
        next.members.iter_mut().find(joins)?.role = MemberRole::Voter;
        Some(next)
    }

    /// The bytes of an entry: `version u8 | postcard`.
    pub fn encode(&self) -> Bytes {
        let mut bytes = vec![1];
        // Serialising small vectors into a growing one has no failure path.
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes.into()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (1, rest) = bytes.split_first()? else {
            return None;
        };
        let (membership, rest) = postcard::take_from_bytes::<Self>(rest).ok()?;
        let is_small =
            membership.members.len() <= MEMBERS_MAX && membership.retired.len() <= RETIRED_MAX;
        (rest.is_empty() && is_small && membership.voters().next().is_some()).then_some(membership)
    }
}

#[cfg(test)]
#[path = "membership_test.rs"]
mod tests;
