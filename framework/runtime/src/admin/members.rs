//! Who belongs to a group, by name.

use repertoire_core::{Error, ErrorKind, GroupId, MemberChange, NodeId};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Desk;
use crate::actors::node::Control;

/// `{"keyspace": name, "shard": 0}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
}

/// `{"keyspace": name, "shard": 0, "add": {"node": 4, "incarnation": text, "votes": true,
/// "replaces": 3}}`, or `"remove": 3` in the place of `add`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
    add: Option<Addition>,
    remove: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addition {
    node: u64,
    incarnation: String,
    votes: bool,
    replaces: Option<u64>,
}

impl Change {
    /// # Errors
    /// `Malformed`, unless it says one thing, and a disk as it is printed.
    pub(super) fn parse(&self) -> Result<MemberChange, Error> {
        let malformed =
            |detail| Error::new(ErrorKind::Malformed, "change members").with("detail", detail);
        match (&self.add, self.remove) {
            (None, Some(node)) => Ok(MemberChange::Remove { node: NodeId(node) }),
            (Some(add), None) => Ok(MemberChange::Add {
                node: NodeId(add.node),
                incarnation: add.incarnation.parse().map_err(|_| {
                    malformed("an incarnation is 32 hexadecimal digits, as `status` shows them")
                })?,
                votes: add.votes,
                replaces: add.replaces.map(NodeId),
            }),
            _ => Err(malformed("say `add` or `remove`")),
        }
    }
}

/// Changes the members at this node's replica, which must lead.
pub(crate) async fn change(desk: &Desk, group: GroupId, change: MemberChange) -> Result<(), Error> {
    let (send, receive) = oneshot::channel();
    desk.control(Control::ChangeMembers(group, change, send));
    let stopped = || Error::new(ErrorKind::ShuttingDown, "change members");
    receive.await.unwrap_or_else(|_| Err(stopped()))
}

/// The members as this node's replica knows them, whether it leads, and since which position.
pub(crate) async fn list(desk: &Desk, group: GroupId) -> Result<Value, Error> {
    let (send, receive) = oneshot::channel();
    desk.control(Control::Members(group, send));
    let stopped = || Error::new(ErrorKind::ShuttingDown, "list members");
    receive.await.unwrap_or_else(|_| Err(stopped()))
}
