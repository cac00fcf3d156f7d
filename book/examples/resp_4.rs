//! Step 4 of the chapter "Your first database": fast answers, and WAIT for those who need more.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use repertoire::core::{
    Acks, Descriptor, Durability, EntryId, Error, KeyspaceId, NodeId, WriteOutcome,
};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_book::resp::{self, Database, Frame};
use repertoire_client::{Client, Keyspace};
use serde_json::Value;
use tokio::net::TcpListener;

// ANCHOR: database
/// A connection's view of a keyspace: it remembers where the last write of this connection stands.
#[derive(Clone, Debug)]
pub(crate) struct Replicated {
    db: Keyspace,
    last: Option<EntryId>,
}

impl Database for Replicated {
    async fn execute(&mut self, words: Vec<Bytes>) -> Frame {
        let reply = match words.as_slice() {
            [command, key] if command == "GET" => {
                self.db.get(key).await.map(|found| resp::value(found.1))
            }
            [command, key, value] if command == "SET" => self.set(key, value).await,
            [command, followers, millis] if command == "WAIT" => {
                match (number(followers), number(millis)) {
                    (Some(followers), Some(millis)) => self.wait(followers, millis).await,
                    _ => return resp::error("ERR WAIT takes two numbers"),
                }
            }
            _ => return resp::error("ERR only GET key, SET key value and WAIT followers millis"),
        };
        reply.unwrap_or_else(|error| failure(&error))
    }
}

impl Replicated {
    async fn set(&mut self, key: &Bytes, value: &Bytes) -> Result<Frame, Error> {
        let written = self.db.put(key, value).await?;
        self.last = Some(written.ack.position);
        Ok(resp::ok())
    }
    // ANCHOR_END: database

    // ANCHOR: wait
    /// Waits until so many followers hold this connection's writes, or the time is over; zero
    /// milliseconds mean no end. Answers how many do.
    async fn wait(&self, followers: u64, millis: u64) -> Result<Frame, Error> {
        let began = Instant::now();
        loop {
            let held = self.followers_with_all().await?;
            let is_over = millis > 0 && began.elapsed() >= Duration::from_millis(millis);
            if held >= followers || is_over {
                return Ok(Frame::Integer(i64::try_from(held).unwrap_or(i64::MAX)));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many followers have this connection's last write, and so all before it, on their medium.
    async fn followers_with_all(&self) -> Result<u64, Error> {
        let client = self.db.client();
        for node in client.nodes() {
            let status = client.status(node).await?;
            let groups = status.get("groups").and_then(Value::as_array);
            for group in groups.into_iter().flatten() {
                if group.get("keyspace") == Some(&"db".into())
                    && group.get("role") == Some(&"leader".into())
                {
                    return Ok(count(group, self.last));
                }
            }
        }
        Ok(0)
    }
    // ANCHOR_END: wait
}

/// Followers that a leader's status shows to hold `last`. None, if another leadership has begun
/// since: whether `last` is part of its history, this figure does not tell.
fn count(group: &Value, last: Option<EntryId>) -> u64 {
    let last = last.unwrap_or(EntryId::ZERO);
    let epoch = group.get("epoch").and_then(Value::as_u64);
    if last != EntryId::ZERO && epoch != Some(last.epoch.0) {
        return 0;
    }
    let details = group.get("details").and_then(Value::as_object);
    let is_held = |(name, value): &(&String, &Value)| {
        name.starts_with("follower-")
            && name.ends_with("-durable_lsn")
            && value.as_u64() >= Some(last.lsn.0)
    };
    details.map_or(0, |details| details.iter().filter(is_held).count() as u64)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A client must not take "perhaps" for "no": the two are told apart by their first word.
fn failure(error: &Error) -> Frame {
    let word = match error.outcome() {
        WriteOutcome::NotApplied => "ERR",
        WriteOutcome::Unknown => "UNKNOWN",
    };
    resp::error(&format!("{word} {error}"))
}

// ANCHOR: open
/// Three nodes; the leader answers alone, once a write has reached `durability` there.
///
/// # Errors
/// Those of the cluster and of the client.
pub(crate) async fn open(durability: Durability) -> Result<(LocalCluster, Replicated), Error> {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let mut db = Descriptor::single_shard(KeyspaceId(1), "db", "single-leader", &nodes);
    db.options.acks = Acks::Async;
    db.options.durability = durability;
    let cluster = LocalCluster::start(LocalOptions::new("shop"), vec![db]).await?;
    cluster.ready(Duration::from_secs(30)).await?;
    let mut client = Client::builder();
    for node in nodes {
        client = client.node(cluster.node(node)?.handle().clone());
    }
    let db = client.build().await?.keyspace("db").await?;
    Ok((cluster, Replicated { db, last: None }))
}
// ANCHOR_END: open

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let durability = match std::env::args().nth(1).as_deref() {
        Some("memory") => Durability::Memory,
        Some("os") => Durability::Os,
        None | Some("disk") => Durability::Disk,
        Some(other) => return Err(format!("{other} is not memory, os or disk").into()),
    };
    let (_cluster, database) = open(durability).await?;
    let listener = TcpListener::bind("127.0.0.1:6380").await?;
    println!("listening at {}", listener.local_addr()?);
    Ok(resp::serve(listener, database).await?)
}
