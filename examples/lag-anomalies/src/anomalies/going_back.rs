//! Monotonic reads (figure 5-4 of the notes), and routers that move users from one follower to another.

use std::time::Duration;

use repertoire::core::{Error, NodeId, ReadLevel};
use repertoire_client::preferred;
use xxhash_rust::xxh3::xxh3_64;

use super::shown;
use crate::lab::{FRESH, STALE, anywhere, user_of};
use crate::{Lab, Row};

const BACK: &str = "time goes back";
const MOVED: &str = "a follower fails";
/// Users of a router. Enough that every pair of followers gets its share.
const USERS: usize = 600;
/// How long a follower may take to catch up before the leader is asked.
const WAIT: Duration = Duration::from_millis(3);

// ANCHOR: two_reads
/// Somebody reads at a follower that has the comment, and then at one that has not.
pub(super) async fn two_reads(lab: &Lab) -> Result<Vec<Row>, Error> {
    let comments = lab.client().keyspace("comments").await?;
    let written = comments.put("reply", "1 result").await?;
    lab.shown_at(&comments, "reply", &written, FRESH[0]).await?;

    let first = anywhere(&comments, "reply", FRESH[0]).await?;
    let second = anywhere(&comments, "reply", STALE).await?;
    let weak = (first.is_some(), second.is_none());

    // The user of this session is served by the follower that lags; the first read was elsewhere.
    let session = lab.client().session(user_of(FRESH[0]));
    let seen = session.keyspace("comments").await?.get("reply").await?;
    let token = session.token().await?;
    let moved = lab.client().resume(user_of(STALE), &token).await?;
    let again = moved.keyspace("comments").await?.get("reply").await?;
    Ok(vec![
        Row::weak(BACK, "any follower, twice").showed(
            format!("{}, then {}", shown(first), shown(second)),
            weak == (true, true),
        ),
        Row::right(BACK, "session, at the same two followers").showed(
            format!("{}, then {}", shown(seen.as_ref()), shown(again.as_ref())),
            seen.is_none() || again.is_none(),
        ),
    ])
}
// ANCHOR_END: two_reads

/// Three followers serve the users, and then the first of them is gone. Each user has read once where
/// the router sends it, and reads again where the router sends it then.
pub(super) async fn a_follower_fails(lab: &Lab) -> Result<Vec<Row>, Error> {
    let (by_modulo, moved) = going_back(lab, modulo).await?;
    let (by_weight, fewer) = going_back(lab, rendezvous).await?;
    let with_positions = going_back_with_positions(lab).await?;
    let count = |moved, back| format!("{moved} of {USERS} move, {back} go back");
    Ok(vec![
        Row::weak(MOVED, "hash % n").showed(count(moved, by_modulo), by_modulo > 0),
        Row::weak(MOVED, "rendezvous hashing alone").showed(count(fewer, by_weight), by_weight > 0),
        Row::right(MOVED, "rendezvous hashing and a position")
            .showed(count(fewer, with_positions), with_positions > 0),
    ])
}

/// The classic router: when the number of followers changes, most users move.
fn modulo(user: &str, nodes: &[NodeId]) -> NodeId {
    let place = xxh3_64(user.as_bytes()) % nodes.len().max(1) as u64;
    let place = usize::try_from(place).unwrap_or_default();
    nodes.get(place).copied().unwrap_or(STALE)
}

/// The router of sessions: only the users of the follower that is gone move.
fn rendezvous(user: &str, nodes: &[NodeId]) -> NodeId {
    let order = preferred(user.as_bytes(), nodes.to_vec());
    order.first().copied().unwrap_or(STALE)
}

// ANCHOR: routers
/// How many users see less than before when a router loses the first of three followers, and how many
/// it moves at all.
async fn going_back(
    lab: &Lab,
    router: impl Fn(&str, &[NodeId]) -> NodeId,
) -> Result<(usize, usize), Error> {
    let comments = lab.client().keyspace("comments").await?;
    let written = comments.put("routed", "new").await?;
    for node in FRESH {
        lab.shown_at(&comments, "routed", &written, node).await?;
    }
    let (mut back, mut moved) = (0, 0);
    for user in users() {
        let before = router(&user, &[FRESH[0], FRESH[1], STALE]);
        let after = router(&user, &[FRESH[1], STALE]);
        let first = anywhere(&comments, "routed", before).await?;
        let second = anywhere(&comments, "routed", after).await?;
        back += usize::from(first.is_some() && second.is_none());
        moved += usize::from(before != after);
    }
    Ok((back, moved))
}
// ANCHOR_END: routers

/// The same, where each user brings along the position of what was shown: a follower that has not got so
/// far is passed over for the leader, as a session does it.
async fn going_back_with_positions(lab: &Lab) -> Result<usize, Error> {
    let comments = lab.client().keyspace("comments").await?;
    let mut back = 0;
    for user in users() {
        let before = rendezvous(&user, &[FRESH[0], FRESH[1], STALE]);
        let after = rendezvous(&user, &[FRESH[1], STALE]);
        let first = comments.level(ReadLevel::Local).at(before);
        let (position, first) = first.get("routed").await?;
        let seen = comments.level(ReadLevel::Session(position));
        let second = match seen.at(after).deadline(WAIT).get("routed").await {
            Ok((_, second)) => second,
            Err(_) => seen.get("routed").await?.1,
        };
        back += usize::from(first.is_some() && second.is_none());
    }
    Ok(back)
}

fn users() -> impl Iterator<Item = String> {
    (0..USERS).map(|user| format!("user-{user}"))
}
