//! Who belongs: nodes of the cluster, and members of groups.

use repertoire_core::{
    Error, ErrorKind, GroupId, GroupMember, Member, MemberChange, MemberRole, Now, Role,
};
use serde_json::{Value, json};

use super::NodeActor;
use crate::actors::transport::TransportCommand;

impl NodeActor {
    /// Tells the transport who has joined, moved or left. Addresses that the node was configured with are
    /// stronger than those of the catalogue: they may differ from network to network.
    pub(super) fn meet_members(&mut self) {
        let catalogue = std::sync::Arc::clone(&self.catalogue);
        let others = catalogue.all_members();
        for member in others.filter(|member| member.node != self.identity.node) {
            let known = self.introduced.get(&member.node);
            if known == Some(member) {
                continue;
            }
            let mut named = self.options.members.iter();
            let is_named = named.any(|it| it.node == member.node);
            let was_gone = known.is_some_and(|known| known.has_left);
            if member.has_left {
                let forget = TransportCommand::Forget(member.node);
                self.wiring.transport.push(forget);
            } else if !is_named || was_gone {
                let introduce = TransportCommand::Introduce(member.node, member.address.clone());
                self.wiring.transport.push(introduce);
            }
            let member: Member = member.clone();
            self.introduced.insert(member.node, member);
        }
    }

    pub(super) fn change_members(
        &mut self,
        now: Now,
        group: GroupId,
        change: &MemberChange,
    ) -> Result<(), Error> {
        let slot = self.running(group)?;
        let lost = || Error::new(ErrorKind::Poisoned, "change members").with("group", group);
        let result = slot.guard(|host| host.change_members(now, change));
        self.touch(group);
        result.unwrap_or_else(|| Err(lost()))
    }

    /// The members that a replica of this node goes by.
    pub(super) fn members(&mut self, group: GroupId) -> Result<Value, Error> {
        let node = self.identity.node;
        let slot = self.running(group)?;
        let seen = slot.guard(|host| (host.members(), host.vitals()));
        let lost = || Error::new(ErrorKind::Poisoned, "list members").with("group", group);
        let (view, vitals) = seen.ok_or_else(lost)?;
        let fixed = || Error::new(ErrorKind::Unsupported, "list members").with("group", group);
        let view = view.ok_or_else(fixed)?;
        Ok(json!({
            "node": node.0,
            "leads": vitals.role == Role::Leader,
            "epoch": vitals.epoch.0,
            "lsn": view.at.lsn.0,
            "is_settled": view.is_settled,
            "removed": view.membership.retired().iter().map(|(node, disk)| json!({
                "node": node.0,
                "incarnation": disk.map(|disk| disk.to_string()),
            })).collect::<Vec<_>>(),
            "members": view.membership.members().iter().map(told).collect::<Vec<_>>(),
        }))
    }
}

fn told(member: &GroupMember) -> Value {
    json!({
        "node": member.node.0,
        "incarnation": member.incarnation.map(|disk| disk.to_string()),
        "role": match member.role {
            MemberRole::Voter => "voter",
            MemberRole::Joining => "joining",
            MemberRole::Learner => "learner",
        },
        "replaces": member.replaces.map(|node| node.0),
    })
}
