//! The three ways in which a write can end.

use std::time::Duration;

use repertoire::LocalCluster;
use repertoire::core::{Acks, Error, NodeId, WriteOutcome};
use repertoire_client::{Client, Keyspace};

// ANCHOR: outcomes
async fn put(accounts: &Keyspace, key: &str, value: &str) -> &'static str {
    match accounts.put(key, value).await {
        Ok(_written) => "done",
        Err(error) => match error.outcome() {
            WriteOutcome::NotApplied => "refused",
            WriteOutcome::Unknown => "unknown",
        },
    }
}
// ANCHOR_END: outcomes

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_done_refused_or_unknown() -> Result<(), Error> {
    let mut cluster = LocalCluster::replicated("shop", &["accounts"]).await?;
    let node = cluster.node(NodeId(1))?.handle().clone();
    let client = Client::builder().node(node).build().await?;
    let accounts = client.keyspace("accounts").await?;
    assert_eq!(put(&accounts, "alice", "10").await, "done");
    let long = "k".repeat(5_000);
    assert_eq!(put(&accounts, &long, "10").await, "refused");
    cluster.stop_node(NodeId(3)).await?;
    let everywhere = accounts
        .acks(Acks::Sync)
        .deadline(Duration::from_millis(500));
    assert_eq!(put(&everywhere, "bob", "20").await, "unknown");
    cluster.stop().await
}
