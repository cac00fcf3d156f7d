//! What the tests of a cluster share.

use std::time::Duration;

use repertoire::core::{
    Answer, Descriptor, GroupId, KeyspaceId, Mono, NodeId, Outcome, ReadLevel, ReadQuery,
};
use repertoire::{LocalCluster, LocalOptions};

/// A keyspace with a replica on each of three nodes, led by the first.
pub(crate) fn keyspace(id: u32, name: &str) -> Descriptor {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    Descriptor::single_shard(KeyspaceId(id), name, "single-leader", &nodes)
}

/// A cluster on which every node knows every keyspace.
pub(crate) async fn start(options: LocalOptions, keyspaces: Vec<Descriptor>) -> LocalCluster {
    let cluster = LocalCluster::start(options, keyspaces).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    cluster
}

/// Digest of a keyspace at one node, with the position it was read at.
pub(crate) async fn digest(cluster: &LocalCluster, node: NodeId, group: GroupId) -> (String, u128) {
    let session = cluster.node(node).unwrap().handle().session();
    session
        .read(group, ReadLevel::Local, Mono::NEVER, ReadQuery::Digest)
        .unwrap();
    match session.replies().await.remove(0).outcome {
        Outcome::Answered {
            position,
            answer: Answer::Digest(digest),
        } => (position.to_string(), digest),
        other => panic!("no digest: {other:?}"),
    }
}

/// Where the log of the leader, node 1, ends. Unlike what is applied this is right at once after a
/// restart.
async fn log_end(cluster: &LocalCluster, group: GroupId) -> Option<String> {
    let status = cluster.node(NodeId(1)).unwrap().handle().status().await;
    let status = status.unwrap();
    let is_it = |value: &&serde_json::Value| {
        value["keyspace_id"] == group.keyspace.0 && value["shard"] == group.shard.0
    };
    let groups = status["groups"].as_array().unwrap();
    let last = &groups.iter().find(is_it)?["last"]["lsn"];
    Some(last.to_string())
}

/// Waits until all running nodes hold the same state: all of the leader's log.
pub(crate) async fn converged(cluster: &LocalCluster, group: GroupId) {
    let equal = async {
        loop {
            let end = log_end(cluster, group).await;
            let first = digest(cluster, NodeId(1), group).await;
            // Positions read "lsn@epoch".
            if end.is_none_or(|end| !first.0.starts_with(&format!("{end}@"))) {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            let second = digest(cluster, NodeId(2), group).await;
            if first == second && second == digest(cluster, NodeId(3), group).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), equal)
        .await
        .expect("the replicas converge");
}
