//! One group: who belongs to it, and a change brought about.

use std::time::{Duration, Instant};

use repertoire_core::{
    Error, ErrorKind, GroupMember, Incarnation, KeyspaceId, MemberRole, NodeId, Position,
    ReadLevel, Retry, ShardId, WriteOutcome,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Belonging, Changed, Newcomer, Operator};

/// How often a group is asked how far it has come.
const EVERY: Duration = Duration::from_millis(25);

/// How long a node may take to answer: one that is gone is passed over.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long the others may take, once somebody has answered who leads.
const OTHERS_MAX: Duration = Duration::from_millis(50);

/// A group by the name of its keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) keyspace: KeyspaceId,
    pub(super) name: String,
    pub(super) shard: ShardId,
}

/// A group's members, as its leader knows them.
#[derive(Clone, Debug)]
pub(super) struct View {
    leader: NodeId,
    epoch: u64,
    is_settled: bool,
    pub(super) members: Vec<GroupMember>,
    removed: Vec<(NodeId, Option<Incarnation>)>,
}

/// What is to be so.
pub(super) struct Wish<'a> {
    /// How a leader is asked for it.
    pub(super) change: Value,
    pub(super) is_done: &'a (dyn Fn(&View) -> bool + Send + Sync),
    /// It was asked for, and goes on by itself.
    pub(super) is_begun: &'a (dyn Fn(&View) -> bool + Send + Sync),
}

impl View {
    pub(super) fn member(&self, node: NodeId) -> Option<&GroupMember> {
        self.members.iter().find(|member| member.node == node)
    }

    /// Whether a node belongs to it as it is to.
    pub(super) fn holds(&self, node: NodeId, disk: Incarnation, votes: bool) -> bool {
        let role = if votes {
            MemberRole::Voter
        } else {
            MemberRole::Learner
        };
        let is_it = |member: &GroupMember| member.incarnation == Some(disk) && member.role == role;
        self.member(node).is_some_and(is_it)
    }

    /// Whether an addition is under way.
    pub(super) fn is_joining(
        &self,
        node: NodeId,
        disk: Incarnation,
        replaces: Option<NodeId>,
    ) -> bool {
        let is_it = |member: &GroupMember| {
            let is_meant = member.incarnation == Some(disk) && member.replaces == replaces;
            // A voter that replaces nobody, or has done so, needs nothing any more.
            is_meant && member.role != MemberRole::Learner
        };
        self.member(node).is_some_and(is_it)
    }

    pub(super) fn changed(&self, place: &Place, took: Duration) -> Changed {
        let voters = self.members.iter();
        let voters = voters.filter(|member| member.role == MemberRole::Voter);
        Changed {
            keyspace: place.name.clone(),
            shard: place.shard,
            voters: voters.map(|member| member.node).collect(),
            took,
        }
    }

    pub(super) fn belonging(self, place: &Place) -> Belonging {
        Belonging {
            keyspace: place.name.clone(),
            shard: place.shard,
            leader: self.leader,
            is_settled: self.is_settled,
            members: self.members,
        }
    }

    /// What a node says; `None` when it does not lead.
    fn of(answer: &Value) -> Option<Self> {
        let leads = answer.get("leads")?.as_bool()?;
        let members = answer.get("members")?.as_array()?.iter().map(member);
        let removed = answer.get("removed")?.as_array()?.iter().map(place_of);
        let view = Self {
            leader: NodeId(answer.get("node")?.as_u64()?),
            epoch: answer.get("epoch")?.as_u64()?,
            is_settled: answer.get("is_settled")?.as_bool()?,
            members: members.collect::<Option<_>>()?,
            removed: removed.collect::<Option<_>>()?,
        };
        leads.then_some(view)
    }
}

fn member(told: &Value) -> Option<GroupMember> {
    let role = match told.get("role")?.as_str()? {
        "voter" => MemberRole::Voter,
        "joining" => MemberRole::Joining,
        "learner" => MemberRole::Learner,
        _ => return None,
    };
    let (node, incarnation) = place_of(told)?;
    Some(GroupMember {
        node,
        incarnation,
        role,
        replaces: told.get("replaces")?.as_u64().map(NodeId),
    })
}

fn nobody() -> Error {
    Error::new(ErrorKind::Unavailable, "list members")
        .with("detail", "nobody leads the group")
        .with(
            "remedy",
            "start its nodes again: a majority, and the leader where that one is fixed",
        )
}

/// A node and its disk, if that is known.
fn place_of(told: &Value) -> Option<(NodeId, Option<Incarnation>)> {
    let disk = told.get("incarnation")?.as_str();
    let disk = disk.map(str::parse).transpose().ok()?;
    Some((NodeId(told.get("node")?.as_u64()?), disk))
}

impl Operator {
    /// Refuses a newcomer that the group would refuse, before anything is changed for it.
    pub(super) async fn check(&self, place: &Place, newcomer: &Newcomer) -> Result<(), Error> {
        let view = self.leader(place).await?;
        let (node, disk) = (newcomer.node, newcomer.incarnation);
        let refused = |detail: &'static str, remedy: &'static str| {
            Err(Error::new(ErrorKind::ConfigInvalid, "add a member")
                .with("keyspace", &place.name)
                .with("node", node)
                .with("incarnation", disk)
                .with("detail", detail)
                .with("remedy", remedy))
        };
        if view.removed.contains(&(node, Some(disk))) {
            let detail = "that disk was removed from the group";
            return refused(detail, "format the node anew, and add it with its new disk");
        }
        match view.member(node) {
            Some(known) if known.incarnation != Some(disk) => refused(
                "the node is a member with another disk, or since the group was founded",
                "nothing is to be done if it is the same; else decommission the node first",
            ),
            _ => Ok(()),
        }
    }

    /// Waits for somebody who leads.
    pub(super) async fn leader(&self, place: &Place) -> Result<View, Error> {
        let until = Instant::now() + self.patience;
        loop {
            if let Some(view) = self.view(place).await? {
                return Ok(view);
            }
            if Instant::now() >= until {
                return Err(self.late(place, Some(&nobody())));
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Whether a group has that member, or the catalogue says so.
    pub(super) async fn has(&self, place: &Place, node: NodeId) -> Result<bool, Error> {
        let described = self.described(place).await?;
        let mut replicas = described.replicas(place.shard).iter();
        Ok(replicas.any(|spec| spec.node == node))
    }

    /// Asks the leader, whoever that is meanwhile, until the group is as it is wished to be and nobody can
    /// take that back.
    pub(super) async fn bring_about(&self, place: &Place, wish: &Wish<'_>) -> Result<View, Error> {
        let until = Instant::now() + self.patience;
        let mut trouble = None;
        loop {
            match self.view(place).await? {
                Some(view) if view.is_settled && (wish.is_done)(&view) => {
                    if self.leads_still(place, &view).await? {
                        return Ok(view);
                    }
                }
                Some(view) if !(wish.is_begun)(&view) => {
                    trouble = self.ask(place, &view, wish).await?.or(trouble);
                }
                Some(_) => {}
                None => trouble = Some(nobody()),
            }
            if Instant::now() >= until {
                return Err(self.late(place, trouble.as_ref()));
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Whether who told that view has led until after it: one that was cut off may tell of former times.
    /// A leader that answers a read is in office, and what it has read reaches up to its own epoch.
    async fn leads_still(&self, place: &Place, view: &View) -> Result<bool, Error> {
        let keyspace = self.client.keyspace(&place.name).await?;
        let keyspace = keyspace.level(ReadLevel::Leader);
        match keyspace.scan_shard(place.shard, "", "", 1).await {
            Ok((Position::Entry(read), _)) => Ok(read.epoch.0 == view.epoch),
            Ok(_) => Ok(false),
            Err(error) if error.retry() == Retry::No => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Returns what is in the way for now.
    async fn ask(
        &self,
        place: &Place,
        view: &View,
        wish: &Wish<'_>,
    ) -> Result<Option<Error>, Error> {
        let mut call = json!({"keyspace": place.name, "shard": place.shard.0});
        if let (Some(call), Some(change)) = (call.as_object_mut(), wish.change.as_object()) {
            call.extend(change.clone());
        }
        match self
            .client
            .admin(view.leader, "change-members", &call)
            .await
        {
            Ok(_) => Ok(None),
            Err(error) => match error.kind() {
                ErrorKind::ConfigInvalid | ErrorKind::Malformed | ErrorKind::Unsupported => {
                    Err(error.with("keyspace", &place.name))
                }
                _ => Ok(Some(error)),
            },
        }
    }

    fn late(&self, place: &Place, trouble: Option<&Error>) -> Error {
        let error = Error::new(ErrorKind::Timeout, "change members")
            .with("keyspace", &place.name)
            .with("shard", place.shard)
            .with("after", format!("{:?}", self.patience))
            .with_outcome(WriteOutcome::Unknown);
        match trouble {
            Some(trouble) => error.with("last_failure", trouble),
            None => error.with("detail", "the newcomer has yet to learn the group's data"),
        }
    }

    /// The newest leader's view, if somebody leads.
    async fn view(&self, place: &Place) -> Result<Option<View>, Error> {
        let described = self.described(place).await?;
        let mut asked = JoinSet::new();
        for spec in described.replicas(place.shard) {
            let (client, node) = (self.client.clone(), spec.node);
            let call = json!({"keyspace": place.name, "shard": place.shard.0});
            asked.spawn(async move { client.admin(node, "members", &call).await });
        }
        let mut unsupported = None;
        let mut newest: Option<View> = None;
        let mut until = tokio::time::Instant::now() + ANSWER_MAX;
        while let Ok(Some(answer)) = tokio::time::timeout_at(until, asked.join_next()).await {
            match answer {
                Ok(Ok(answer)) => {
                    let view = View::of(&answer);
                    newest = newest.into_iter().chain(view).max_by_key(|view| view.epoch);
                }
                Ok(Err(error)) if *error.kind() == ErrorKind::Unsupported => {
                    unsupported = Some(error);
                }
                Ok(Err(_)) | Err(_) => {}
            }
            if newest.is_some() {
                until = until.min(tokio::time::Instant::now() + OTHERS_MAX);
            }
        }
        match unsupported {
            Some(error) if newest.is_none() => Err(error.with("keyspace", &place.name)),
            _ => Ok(newest),
        }
    }
}
