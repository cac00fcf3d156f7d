//! Administrative functions that are called by name; arguments and answers are JSON.

pub(crate) mod discards;
pub(crate) mod members;
pub(crate) mod promote;
mod replay;

use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{Error, ErrorKind, GroupId, NodeId};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::actors::node::Control;
use crate::credit::Credit;
use crate::inbox::Inbox;
use crate::session::Sessions;

/// The function that hands a leadership over: `{"keyspace": name, "shard": 0, "to": node}`. The
/// answer is an empty object; see [`NodeHandle::transfer`](crate::NodeHandle::transfer).
const TRANSFER: &str = "transfer";

/// The function that makes a replica of this node lead; see [`promote`].
const PROMOTE: &str = "promote";

/// The functions about who belongs to a group; see [`members`].
const MEMBERS: &str = "members";
const CHANGE_MEMBERS: &str = "change-members";

/// The functions about discarded writes; see [`discards`].
const DISCARDED: &str = "discarded";
const DISCARDED_SETTLE: &str = "discarded-settle";
const DISCARDED_REPLAY: &str = "discarded-replay";

/// What the functions work with.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) credit: Arc<Credit>,
}

impl Desk {
    fn control(&self, control: Control) {
        self.inbox.put(|lanes| lanes.controls.push(control));
    }

    fn group(&self, keyspace: &str, shard: u32) -> Result<GroupId, Error> {
        Ok(GroupId::new(self.sessions.resolve(keyspace)?.id.0, shard))
    }
}

/// The function that seals what a session has seen: positions as JSON; the answer is
/// `{"token": text}`.
const SEAL_TOKEN: &str = "seal-token";

/// The function that opens a token again: `{"token": text}`; the answer are the positions.
const OPEN_TOKEN: &str = "open-token";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    keyspace: String,
    #[serde(default)]
    shard: u32,
    to: u64,
}

/// Calls a function.
///
/// # Errors
/// `Unsupported` for a name that is not known, `Malformed` for arguments that are not understood;
/// those of the function.
pub(crate) async fn call(desk: &Desk, name: &str, args: &[u8]) -> Result<Bytes, Error> {
    let answer = match name {
        TRANSFER => {
            let Transfer {
                keyspace,
                shard,
                to,
            } = parse(name, args)?;
            let group = desk.group(&keyspace, shard)?;
            transfer(&desk.inbox, group, NodeId(to)).await?;
            return Ok(Bytes::from_static(b"{}"));
        }
        PROMOTE => {
            let order: promote::Promote = parse(name, args)?;
            let group = desk.group(&order.keyspace, order.shard)?;
            promote::promote(desk, group, order).await?
        }
        MEMBERS => {
            let list: members::List = parse(name, args)?;
            let group = desk.group(&list.keyspace, list.shard)?;
            members::list(desk, group).await?
        }
        CHANGE_MEMBERS => {
            let change: members::Change = parse(name, args)?;
            let group = desk.group(&change.keyspace, change.shard)?;
            members::change(desk, group, change.parse()?).await?;
            return Ok(Bytes::from_static(b"{}"));
        }
        DISCARDED => {
            let list: discards::List = parse(name, args)?;
            let group = desk.group(&list.keyspace, list.shard)?;
            discards::list(desk, group, list).await?
        }
        DISCARDED_SETTLE => {
            let settle: discards::Settle = parse(name, args)?;
            let group = desk.group(&settle.keyspace, settle.shard)?;
            discards::settle(desk, group, settle).await?
        }
        DISCARDED_REPLAY => {
            let again: discards::Replay = parse(name, args)?;
            let group = desk.group(&again.keyspace, again.shard)?;
            replay::replay(desk, group, &again.writes).await?
        }
        SEAL_TOKEN => return desk.sessions.tokens.seal(args),
        OPEN_TOKEN => return desk.sessions.tokens.open(args),
        _ => return Err(Error::new(ErrorKind::Unsupported, "call").with("name", name)),
    };
    Ok(Bytes::from(answer.to_string()))
}

pub(crate) async fn transfer(inbox: &Inbox, group: GroupId, to: NodeId) -> Result<(), Error> {
    let (send, receive) = oneshot::channel();
    inbox.put(|lanes| lanes.controls.push(Control::Transfer(group, to, send)));
    let stopped = || Error::new(ErrorKind::ShuttingDown, "transfer");
    receive.await.unwrap_or_else(|_| Err(stopped()))
}

fn parse<'a, T: Deserialize<'a>>(name: &str, args: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(args).map_err(|error| {
        Error::new(ErrorKind::Malformed, "call")
            .with("name", name)
            .with("detail", error)
    })
}
