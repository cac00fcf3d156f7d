//! Administrative functions that are called by name; arguments and answers are JSON.

use bytes::Bytes;
use repertoire_core::{Error, ErrorKind, GroupId, NodeId};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::actors::node::Control;
use crate::inbox::Inbox;
use crate::session::Sessions;

/// The function that hands a leadership over: `{"keyspace": name, "shard": 0, "to": node}`. The
/// answer is an empty object; see [`NodeHandle::transfer`](crate::NodeHandle::transfer).
const TRANSFER: &str = "transfer";

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
pub(crate) async fn call(
    inbox: &Inbox,
    sessions: &Sessions,
    name: &str,
    args: &[u8],
) -> Result<Bytes, Error> {
    match name {
        TRANSFER => {
            let Transfer {
                keyspace,
                shard,
                to,
            } = parse(name, args)?;
            let group = GroupId::new(sessions.resolve(&keyspace)?.id.0, shard);
            transfer(inbox, group, NodeId(to)).await?;
            Ok(Bytes::from_static(b"{}"))
        }
        _ => Err(Error::new(ErrorKind::Unsupported, "call").with("name", name)),
    }
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
