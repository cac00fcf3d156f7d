//! What the tests of a cluster share.

use std::time::Duration;

use repertoire::LocalCluster;
use repertoire::core::{Answer, GroupId, Mono, NodeId, Outcome, ReadLevel, ReadQuery};

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

/// Waits until all running nodes hold the same state.
pub(crate) async fn converged(cluster: &LocalCluster, group: GroupId) {
    let equal = async {
        loop {
            let first = digest(cluster, NodeId(1), group).await;
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
