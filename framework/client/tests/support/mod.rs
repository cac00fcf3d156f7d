//! A cluster of real nodes, and clients of both kinds.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::time::Duration;

use repertoire::core::{Descriptor, KeyspaceId, NodeId};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Client, ClientBuilder};

/// Three nodes with a keyspace whose replicas elect their leader.
pub(crate) async fn electing_cluster() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let mut data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    data.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let cluster = LocalCluster::start(LocalOptions::new("failover"), vec![data]);
    let cluster = cluster.await.unwrap();
    cluster.ready(Duration::from_mins(1)).await.unwrap();
    cluster
}

/// Three nodes with two keyspaces of eight shards: node 1, 2 or 3 leads each shard of `fixed`, and the
/// replicas of `elected` elect.
pub(crate) async fn sharded_cluster() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let fixed = Descriptor::single_shard(KeyspaceId(1), "fixed", "single-leader", &nodes);
    let mut elected = Descriptor::single_shard(KeyspaceId(2), "elected", "single-leader", &nodes);
    elected.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let keyspaces = vec![fixed.in_shards(8), elected.in_shards(8)];
    let cluster = LocalCluster::start(LocalOptions::new("sharded"), keyspaces);
    let cluster = cluster.await.unwrap();
    cluster.ready(Duration::from_mins(1)).await.unwrap();
    cluster
}

/// The node that leads keyspace 1, as soon as one that runs says that it does.
pub(crate) async fn leader(cluster: &LocalCluster, client: &Client) -> NodeId {
    let found = async {
        loop {
            for id in cluster.ids() {
                let Ok(status) = client.status(id).await else {
                    continue;
                };
                let groups = status["groups"].as_array().unwrap().iter();
                let mut led = groups.filter(|g| g["keyspace_id"] == 1 && g["role"] == "leader");
                if led.next().is_some() {
                    return id;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), found).await;
    found.expect("somebody leads")
}

/// Three nodes with `data` (one shard) and `wide` (four shards).
pub(crate) async fn cluster() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    // Node 1 leads every shard.
    let mut wide = Descriptor::single_shard(KeyspaceId(2), "wide", "single-leader", &nodes);
    wide.plugin_options = r#"{"single-leader": {"leader": 1}}"#.to_owned();
    let wide = wide.in_shards(4);
    let cluster = LocalCluster::start(LocalOptions::new("clients"), vec![data, wide]);
    let cluster = cluster.await.unwrap();
    cluster.ready(Duration::from_mins(1)).await.unwrap();
    cluster
}

/// A client inside the process, that begins at `node`.
pub(crate) async fn embedded(cluster: &LocalCluster, node: u64) -> Client {
    let mut builder = builder();
    let others = cluster.ids().filter(|id| id.0 != node);
    for id in std::iter::once(NodeId(node)).chain(others) {
        builder = builder.node(cluster.node(id).unwrap().handle().clone());
    }
    builder.build().await.unwrap()
}

/// A client that waits for a keyspace longer than any test, when there is something to wait for.
fn builder() -> ClientBuilder {
    Client::builder()
        .deadline(Duration::from_secs(30))
        .patience(Duration::from_hours(1))
}

/// A client over QUIC, that knows the address of `node` alone.
pub(crate) async fn remote(cluster: &LocalCluster, node: usize) -> Client {
    builder()
        .address(cluster.addresses()[node - 1].to_string())
        .tls(cluster.client_tls("tester").unwrap())
        .build()
        .await
        .unwrap()
}
