//! Two accounts in two shards, whose leaders are on two nodes, of which one goes.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use repertoire::core::{Descriptor, Error, KeyspaceId, NodeId, Operation, SlotMap};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Client, Keyspace};

const PATIENCE: Duration = Duration::from_secs(60);

// ANCHOR: transfer
/// Moves all of one account to another one.
async fn transfer(accounts: &Keyspace, from: &str, to: &str) -> &'static str {
    let put = |key, value| Operation::Put {
        key,
        value,
        expires_at: None,
    };
    let both = [put(from.as_bytes(), b"0"), put(to.as_bytes(), b"100")];
    match accounts.batch(both.to_vec()).await {
        Ok(_) => return "moved",
        Err(error) => println!("as one batch: {error}"),
    }
    for (shard, done) in accounts.batch_per_shard(&both).await {
        let done = if done.is_ok() {
            "done"
        } else {
            "not confirmed"
        };
        println!("as a batch per shard: {shard} {done}");
    }
    "?"
}
// ANCHOR_END: transfer

#[tokio::main]
async fn main() -> Result<(), Error> {
    // ANCHOR: keyspace
    let nodes = [1, 2, 3].map(NodeId);
    let accounts = Descriptor::single_shard(KeyspaceId(1), "accounts", "single-leader", &nodes);
    let accounts = accounts.in_shards(8);
    // ANCHOR_END: keyspace
    let options = LocalOptions::new("bank");
    let mut cluster = LocalCluster::start(options, vec![accounts]).await?;
    cluster.ready(PATIENCE).await?;
    let mut client = Client::builder();
    for node in nodes {
        client = client.node(cluster.node(node)?.handle().clone());
    }
    let client = client.build().await?;
    let accounts = client.keyspace("accounts").await?;
    let accounts = accounts.deadline(Duration::from_secs(2));

    let slots = SlotMap::even(8);
    let (ann, zoe) = ("ann", "zoe");
    for (key, value) in [(ann, "100"), (zoe, "0")] {
        accounts.put(key, value).await?;
        let shard = slots.shard_of(key.as_bytes());
        println!(
            "{key} has {value}, in {shard}, led by node {}",
            led_by(shard.0)
        );
    }
    let gone = led_by(slots.shard_of(zoe.as_bytes()).0);
    cluster.stop_node(NodeId(gone)).await?;
    println!("node {gone} is gone");
    transfer(&accounts, ann, zoe).await;
    let (_, value) = accounts.get(ann).await?;
    println!("ann has {}", text(value.as_deref()));

    let (ann, zoe) = ("{branch-1}.ann", "{branch-1}.zoe");
    accounts.put(ann, "100").await?;
    println!("{ann} and {zoe} are in {}", slots.shard_of(ann.as_bytes()));
    println!("{}", transfer(&accounts, ann, zoe).await);
    cluster.stop().await
}

/// Shards begin with the nodes in turn.
const fn led_by(shard: u32) -> u64 {
    shard as u64 % 3 + 1
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}
