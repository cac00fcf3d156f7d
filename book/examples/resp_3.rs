//! Step 3 of the chapter "Your first database": INCR, as a function that runs at the leader.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use repertoire::core::{
    Cell, Descriptor, Error, ErrorKind, Evaluated, Function, FunctionView, KeyspaceId, NodeId,
    RecordContext, RowChange, WriteOutcome,
};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_book::resp::{self, Database, Frame};
use repertoire_client::{Client, Keyspace};
use tokio::net::TcpListener;

// ANCHOR: function
/// Adds one to the number under a key; a key without a value counts as zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Increment;

impl Function for Increment {
    fn name(&self) -> &'static str {
        "book.increment"
    }

    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error> {
        keys.push(Bytes::copy_from_slice(args));
        Ok(())
    }

    fn evaluate(
        &self,
        _context: RecordContext,
        key: &[u8],
        view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        let number = match view.value(key) {
            None => 0,
            Some(text) => number(&text).ok_or_else(|| refusal("the value is not an integer"))?,
        };
        let sum = number.checked_add(1).ok_or_else(|| refusal("overflow"))?;
        let text = sum.to_string();
        let mut cell = BytesMut::new();
        Cell::plain(text.as_bytes()).encode_into(&mut cell);
        Ok(Evaluated {
            changes: vec![RowChange {
                key: Bytes::copy_from_slice(key),
                after: Some(cell.freeze()),
                before: None,
            }],
            result: text.into(),
        })
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Nothing is logged, and the caller hears why.
fn refusal(message: &str) -> Error {
    let message = message.to_owned();
    Error::new(ErrorKind::Application { message }, "increment")
}
// ANCHOR_END: function

/// A keyspace with a copy on every node.
#[derive(Clone, Debug)]
pub(crate) struct Replicated(Keyspace);

impl Database for Replicated {
    // ANCHOR: execute
    async fn execute(&mut self, words: Vec<Bytes>) -> Frame {
        let db = &self.0;
        let reply = match words.as_slice() {
            [command, key] if command == "GET" => db.get(key).await.map(|it| resp::value(it.1)),
            [command, key] if command == "INCR" => db
                .call(Increment.name(), key)
                .await
                .map(|written| number(&written.result).map_or(Frame::Null, Frame::Integer)),
            [command, key, value] if command == "SET" => {
                db.put(key, value).await.map(|_| resp::ok())
            }
            _ => return resp::error("ERR only GET key, SET key value and INCR key"),
        };
        reply.unwrap_or_else(|error| failure(&error))
    }
    // ANCHOR_END: execute
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
/// Three nodes that know the function, and a client that is connected to all of them.
///
/// # Errors
/// Those of the cluster and of the client.
pub(crate) async fn open() -> Result<(LocalCluster, Replicated), Error> {
    let mut registry = repertoire::registry();
    registry.function(Arc::new(Increment));
    let options = LocalOptions {
        registry: Arc::new(registry),
        ..LocalOptions::new("shop")
    };
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let db = Descriptor::single_shard(KeyspaceId(1), "db", "single-leader", &nodes);
    let cluster = LocalCluster::start(options, vec![db]).await?;
    cluster.ready(Duration::from_secs(30)).await?;
    let mut client = Client::builder();
    for node in nodes {
        client = client.node(cluster.node(node)?.handle().clone());
    }
    let keyspace = client.build().await?.keyspace("db").await?;
    Ok((cluster, Replicated(keyspace)))
}
// ANCHOR_END: open

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_cluster, database) = open().await?;
    let listener = TcpListener::bind("127.0.0.1:6380").await?;
    println!("listening at {}", listener.local_addr()?);
    Ok(resp::serve(listener, database).await?)
}
