//! What a descriptor says of members that change: the group's own log decides, the catalogue mirrors it,
//! so that nodes know what to run and clients whom to ask.

use super::{Descriptor, ReplicaRole, ReplicaSpec};
use crate::{GroupMember, Incarnation, MemberRole, NodeId, ShardId, Site};

impl Descriptor {
    /// The next version of this descriptor, with the members that a shard has by now.
    ///
    /// ```
    /// use repertoire_core::{Descriptor, KeyspaceId, Membership, MemberChange, NodeId, ShardId};
    /// let described = Descriptor::single_shard(
    ///     KeyspaceId(1), "orders", "single-leader", &[1, 2, 3].map(NodeId));
    /// let founders = Membership::founders(described.replicas(ShardId(0)));
    /// let fewer = founders.changed(&MemberChange::Remove { node: NodeId(2) })?.expect("a change");
    /// let mirrored = described.mirroring(ShardId(0), fewer.members());
    /// assert_eq!(mirrored.voters(ShardId(0)).collect::<Vec<_>>(), [1, 3].map(NodeId));
    /// assert_eq!(mirrored.config_epoch, described.config_epoch.next());
    /// # Ok::<(), repertoire_core::MembershipFault>(())
    /// ```
    #[must_use]
    pub fn mirroring(&self, shard: ShardId, members: &[GroupMember]) -> Self {
        let site = |node: NodeId| {
            let all = self.placement.shards.values().flatten();
            let mut known = all.filter(|spec| spec.node == node).map(|it| &it.site);
            known.next_back().cloned().unwrap_or_default()
        };
        let replicas = members.iter().map(|member| ReplicaSpec {
            node: member.node,
            incarnation: member.incarnation,
            role: match member.role {
                MemberRole::Voter => ReplicaRole::Replica,
                MemberRole::Joining | MemberRole::Learner => ReplicaRole::Learner,
            },
            site: site(member.node),
        });
        let replicas = replicas.collect();
        self.with_replicas(shard, replicas)
    }

    /// The next version of this descriptor, with a learner on a node that the group is about to take in:
    /// so the node begins to run it. `None` when it says so already.
    pub fn expecting(
        &self,
        shard: ShardId,
        node: NodeId,
        incarnation: Incarnation,
        site: Site,
    ) -> Option<Self> {
        let disk = Some(incarnation);
        let mut replicas = self.replicas(shard).to_vec();
        let is_it = |spec: &&ReplicaSpec| spec.node == node && spec.incarnation == disk;
        if replicas.iter().any(|spec| is_it(&spec)) {
            return None;
        }
        replicas.retain(|spec| spec.node != node);
        replicas.push(ReplicaSpec {
            node,
            incarnation: disk,
            role: ReplicaRole::Learner,
            site,
        });
        Some(self.with_replicas(shard, replicas))
    }

    fn with_replicas(&self, shard: ShardId, replicas: Vec<ReplicaSpec>) -> Self {
        let mut next = self.clone();
        next.config_epoch = self.config_epoch.next();
        next.placement.shards.insert(shard, replicas);
        next
    }
}
