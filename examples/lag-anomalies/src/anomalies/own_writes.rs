//! Reading your own writes (figure 5-3 of the notes), on one device and on two.

use repertoire::core::{Error, ReadLevel};
use repertoire_client::{ReadPolicy, SAW_RECENTLY};

use super::shown;
use crate::lab::{STALE, anywhere, user_of};
use crate::{Lab, Row};

const OWN: &str = "own write is missing";
const DEVICES: &str = "missing on another device";

// ANCHOR: one_device
/// A user posts a comment and reloads the page; the follower that serves the user lags.
pub(super) async fn one_device(lab: &Lab) -> Result<Vec<Row>, Error> {
    let comments = lab.client().keyspace("comments").await?;
    let session = lab.client().session(user_of(STALE));
    let mine = session.keyspace("comments").await?;
    mine.put("55555", "Sounds good!").await?;

    let weak = anywhere(&comments, "55555", STALE).await?;
    let (_, leader) = comments.level(ReadLevel::Leader).get("55555").await?;
    let token = mine.get("55555").await?;
    let recent = session
        .clone()
        .reading(ReadPolicy::LeaderAfterWrite(SAW_RECENTLY));
    let recent = recent.keyspace("comments").await?.get("55555").await?;
    Ok(vec![
        Row::weak(OWN, "any follower").showed(shown(weak.as_ref()), weak.is_none()),
        Row::right(OWN, "the leader").showed(shown(leader.as_ref()), leader.is_none()),
        Row::right(OWN, "the leader for a minute, then session")
            .showed(shown(recent.as_ref()), recent.is_none()),
        Row::right(OWN, "session (position of the write)")
            .showed(shown(token.as_ref()), token.is_none()),
    ])
}
// ANCHOR_END: one_device

// ANCHOR: two_devices
/// The same user looks at it on another device, whose session knows nothing of the first one.
pub(super) async fn two_devices(lab: &Lab) -> Result<Vec<Row>, Error> {
    let user = user_of(STALE);
    let phone = lab.client().session(&user);
    phone
        .keyspace("comments")
        .await?
        .put("note", "buy milk")
        .await?;

    let stranger = lab.client().session(&user);
    let without = stranger.keyspace("comments").await?.get("note").await?;
    let laptop = lab.client().resume(&user, &phone.token().await?).await?;
    let with = laptop.keyspace("comments").await?.get("note").await?;
    Ok(vec![
        Row::weak(DEVICES, "a new session").showed(shown(without.as_ref()), without.is_none()),
        Row::right(DEVICES, "session resumed from its token")
            .showed(shown(with.as_ref()), with.is_none()),
    ])
}
// ANCHOR_END: two_devices
