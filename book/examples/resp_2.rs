//! Step 2 of the chapter "Your first database": the same two commands on a replicated keyspace.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use bytes::Bytes;
use repertoire::LocalCluster;
use repertoire::core::{Error, NodeId, WriteOutcome};
use repertoire_book::resp::{self, Database, Frame};
use repertoire_client::{Client, Keyspace};
use tokio::net::TcpListener;

// ANCHOR: database
/// A keyspace with a copy on every node.
#[derive(Clone, Debug)]
pub(crate) struct Replicated(Keyspace);

impl Database for Replicated {
    async fn execute(&mut self, words: Vec<Bytes>) -> Frame {
        match words.as_slice() {
            [command, key] if command == "GET" => match self.0.get(key).await {
                Ok((_position, found)) => resp::value(found),
                Err(error) => failure(&error),
            },
            [command, key, value] if command == "SET" => match self.0.put(key, value).await {
                Ok(_written) => resp::ok(),
                Err(error) => failure(&error),
            },
            _ => resp::error("ERR only GET key and SET key value"),
        }
    }
}

/// A client must not take "perhaps" for "no": the two are told apart by their first word.
fn failure(error: &Error) -> Frame {
    let word = match error.outcome() {
        WriteOutcome::NotApplied => "ERR",
        WriteOutcome::Unknown => "UNKNOWN",
    };
    resp::error(&format!("{word} {error}"))
}
// ANCHOR_END: database

// ANCHOR: main
/// Three nodes in this process, and a client that is connected to all of them.
///
/// # Errors
/// Those of the cluster and of the client.
pub(crate) async fn open() -> Result<(LocalCluster, Replicated), Error> {
    let cluster = LocalCluster::replicated("shop", &["db"]).await?;
    let mut client = Client::builder();
    for node in (1..=3).map(NodeId) {
        client = client.node(cluster.node(node)?.handle().clone());
    }
    let keyspace = client.build().await?.keyspace("db").await?;
    Ok((cluster, Replicated(keyspace)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_cluster, database) = open().await?;
    let listener = TcpListener::bind("127.0.0.1:6380").await?;
    println!("listening at {}", listener.local_addr()?);
    Ok(resp::serve(listener, database).await?)
}
// ANCHOR_END: main
