//! Appointing a replica of this node as leader.

use std::sync::Arc;

use repertoire_core::{Appointment, Error, GroupId, LeaderEpoch, Promotion};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Desk;
use crate::actors::node::Control;
use crate::fence::{FormerLeader, fence};

/// `{"keyspace": name, "shard": 0, "replaces": epoch, "accept_data_loss": false, "dry_run": false}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promote {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
    replaces: u64,
    #[serde(default)]
    accept_data_loss: bool,
    #[serde(default)]
    dry_run: bool,
}

/// The answer names the former leader, if it is known, and says whether a hook has cut it off; or that
/// the replica leads already.
pub(super) async fn promote(desk: &Desk, group: GroupId, call: Promote) -> Result<Value, Error> {
    let promotion = Promotion {
        replaces: LeaderEpoch(call.replaces),
        accept_data_loss: call.accept_data_loss,
        is_rehearsal: call.dry_run,
    };
    let former = match order(desk, group, call.keyspace, promotion).await? {
        Appointment::Leads => return Ok(json!({ "leads": true })),
        Appointment::Begun { former } => former,
    };
    let is_fenced = !call.dry_run && desk.sessions.fence.is_some();
    Ok(json!({ "former": former.map(|node| node.0), "is_fenced": is_fenced }))
}

/// Asks whether the promotion would be begun, cuts the former leader off, and begins it.
pub(crate) async fn order(
    desk: &Desk,
    group: GroupId,
    keyspace: String,
    promotion: Promotion,
) -> Result<Appointment, Error> {
    let rehearsal = Promotion {
        is_rehearsal: true,
        ..promotion
    };
    let answer = ask(desk, group, rehearsal).await?;
    let node = match answer {
        Appointment::Begun { former } if !promotion.is_rehearsal => former,
        // Nobody is to be cut off.
        Appointment::Begun { .. } | Appointment::Leads => return Ok(answer),
    };
    if let Some(hook) = &desk.sessions.fence {
        let former = FormerLeader {
            keyspace,
            group,
            node,
            epoch: promotion.replaces,
            successor: desk.sessions.node,
        };
        tracing::warn!(?former, "Fencing the former leader");
        fence(Arc::clone(hook), former).await?;
    }
    ask(desk, group, promotion).await
}

async fn ask(desk: &Desk, group: GroupId, promotion: Promotion) -> Result<Appointment, Error> {
    let (send, receive) = oneshot::channel();
    desk.control(Control::Promote(group, promotion, send));
    let stopped = || Error::new(repertoire_core::ErrorKind::ShuttingDown, "promote");
    receive.await.unwrap_or_else(|_| Err(stopped()))
}
