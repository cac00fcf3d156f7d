//! Answers that are too old for a reader that has seen nothing before; and the end of the lag.

use std::time::Duration;

use repertoire::core::{Error, Lag, ReadLevel};

use super::shown;
use crate::lab::{STALE, anywhere};
use crate::{Lab, Row};

const OLD: &str = "a dashboard shows old news";
const ENDS: &str = "the link is back";
/// How old a dashboard may be.
const BOUND: Duration = Duration::from_millis(50);

// ANCHOR: dashboard
/// A dashboard reads for the first time. It brings no position along; it wants nothing older than so long.
pub(super) async fn dashboard(lab: &Lab) -> Result<Vec<Row>, Error> {
    let comments = lab.client().keyspace("comments").await?;
    comments.put("incident", "all is lost").await?;
    // As long as the bound: what was acknowledged before may not be missing any more.
    tokio::time::sleep(BOUND).await;

    let weak = anywhere(&comments, "incident", STALE).await?;
    // The follower says that it cannot prove to be that young; the client then asks the leader.
    let bounded = comments.level(ReadLevel::Bounded(Lag::of(BOUND)));
    let (_, young) = bounded.at(STALE).get("incident").await?;
    Ok(vec![
        Row::weak(OLD, "any follower").showed(shown(weak.as_ref()), weak.is_none()),
        Row::right(OLD, "bounded to 50 ms").showed(shown(young.as_ref()), young.is_none()),
    ])
}
// ANCHOR_END: dashboard

/// Eventually consistent: the follower catches up when it hears its leader again. The reader waits for
/// that at the follower itself, with the position of the newest write.
pub(super) async fn the_lag_ends(lab: &Lab) -> Result<Vec<Row>, Error> {
    let comments = lab.client().keyspace("comments").await?;
    lab.heal()?;
    let written = comments.put("after", "here").await?;
    lab.shown_at(&comments, "after", &written, STALE).await?;
    let old = anywhere(&comments, "55555", STALE).await?;
    Ok(vec![
        Row::right(ENDS, "any follower").showed(shown(old.as_ref()), old.is_none()),
    ])
}
