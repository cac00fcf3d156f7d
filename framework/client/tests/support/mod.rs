//! A cluster of real nodes, and clients of both kinds.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::time::Duration;

use repertoire::core::{Descriptor, KeyspaceId, NodeId, ReplicaSpec, ShardId, SlotMap};
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

/// Three nodes with `data` (one shard) and `wide` (four shards).
pub(crate) async fn cluster() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    let mut wide = Descriptor::single_shard(KeyspaceId(2), "wide", "single-leader", &nodes);
    wide.placement.slots = SlotMap::even(4);
    for shard in 0..4 {
        let replicas = nodes.iter().copied().map(ReplicaSpec::on).collect();
        wide.placement.shards.insert(ShardId(shard), replicas);
    }
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
