//! `WAIT`: how many followers hold what this session wrote, on the medium that counts.

use std::time::Duration;

use repertoire::core::EntryId;
use tokio::time::{Instant, sleep_until};

use crate::conversation::Conversation;
use crate::failures;
use crate::families::integer;
use crate::reply::{NOT_AN_INTEGER, Reply};

/// Between two questions to the leader; they double, so that a long wait costs little.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));

pub(crate) async fn run(on: &Conversation, words: &[&[u8]]) -> Reply {
    let [wanted, timeout] = words else {
        return NOT_AN_INTEGER.into();
    };
    let (Ok(wanted), Ok(timeout)) = (integer(wanted), integer(timeout)) else {
        return NOT_AN_INTEGER.into();
    };
    let Ok(timeout) = u64::try_from(timeout) else {
        return Reply::Error("ERR timeout is negative".into());
    };
    // As in Redis, 0 waits for as long as it takes.
    let until = (timeout > 0).then(|| Instant::now() + Duration::from_millis(timeout));
    match holders(on, wanted, until).await {
        Ok(count) => Reply::Int(count),
        Err(error) => failures::of_read(&error),
    }
}

async fn holders(
    on: &Conversation,
    wanted: i64,
    until: Option<Instant>,
) -> Result<i64, repertoire::core::Error> {
    // The acknowledgements have counted already. Often that is enough.
    let acks = on.session.written.values();
    let known = acks.map(|ack| i64::from(ack.copies) - 1).min();
    if let Some(known) = known.filter(|known| *known >= wanted) {
        return Ok(known);
    }
    let mut pause = PAUSES.0;
    loop {
        let count = count(on, &on.front.status().await?);
        let now = Instant::now();
        if count >= wanted || until.is_some_and(|until| until <= now) {
            return Ok(count);
        }
        let next = now + pause;
        sleep_until(until.map_or(next, |until| next.min(until))).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Followers that hold the last write of this session in every database, as far as the leader knows.
fn count(on: &Conversation, status: &serde_json::Value) -> i64 {
    let holds = |node: &&repertoire::core::NodeId| {
        let group = |database: usize, need: EntryId| {
            let name = format!("follower-{}-durable_lsn", node.0);
            let details = details(on, status, database);
            let durable = details.and_then(|details| details.get(&name)?.as_u64());
            durable.is_some_and(|durable| durable >= need.lsn.0)
        };
        if on.session.written.is_empty() {
            return is_up(on, status, node.0);
        }
        let mut written = on.session.written.iter();
        written.all(|(database, ack)| group(*database, ack.position))
    };
    let count = on.front.followers.iter().filter(holds).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whether a follower is connected to the leader.
pub(crate) fn is_up(on: &Conversation, status: &serde_json::Value, node: u64) -> bool {
    let name = format!("follower-{node}-is_up");
    let details = details(on, status, on.session.database);
    details.and_then(|details| details.get(&name)?.as_u64()) == Some(1)
}

fn details<'a>(
    on: &Conversation,
    status: &'a serde_json::Value,
    database: usize,
) -> Option<&'a serde_json::Value> {
    let name = &on.front.keyspace(database)?.descriptor().name;
    let mut groups = status.get("groups")?.as_array()?.iter();
    let group =
        groups.find(|group| group.get("keyspace").and_then(|n| n.as_str()) == Some(name))?;
    group.get("details")
}
