//! Writing through a node, and asking it what it says of its replicas.

use std::time::Duration;

use repertoire::LocalCluster;
use repertoire::core::{Acks, ClientId, GroupId, Mono, NodeId, Operation, Outcome, RequestId};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};

pub(crate) fn session(cluster: &LocalCluster, node: NodeId) -> EmbeddedSession {
    cluster.node(node).unwrap().handle().session()
}

/// Puts one key a burst, so that each has records of its own.
pub(crate) async fn put(
    session: &EmbeddedSession,
    group: GroupId,
    seqs: std::ops::RangeInclusive<u64>,
) {
    for seq in seqs {
        let outcome = try_put(session, group, seq, Acks::Majority).await;
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }
}

pub(crate) async fn try_put(
    session: &EmbeddedSession,
    group: GroupId,
    seq: u64,
    acks: Acks,
) -> Outcome {
    let value = format!("value {seq} of {group}");
    let write = EmbeddedWrite {
        group,
        id: RequestId {
            client: ClientId::new(clock::now().wall, group.keyspace.0.into()),
            seq,
            acked_upto: 0,
        },
        acks: Some(acks),
        deadline: Mono::NEVER,
        body: Operation::Put {
            key: format!("key-{seq}").as_bytes(),
            value: value.as_bytes(),
            expires_at: None,
        }
        .encode(),
    };
    session.write(vec![write]).unwrap();
    one(session).await
}

pub(crate) async fn one(session: &EmbeddedSession) -> Outcome {
    let replies = tokio::time::timeout(Duration::from_secs(30), session.replies());
    replies.await.expect("a reply in time").remove(0).outcome
}

pub(crate) async fn group_status(
    cluster: &LocalCluster,
    node: NodeId,
    group: GroupId,
) -> serde_json::Value {
    known_group(cluster, node, group).await.unwrap()
}

/// None on a node that has not heard of the keyspace.
pub(crate) async fn known_group(
    cluster: &LocalCluster,
    node: NodeId,
    group: GroupId,
) -> Option<serde_json::Value> {
    let status = cluster.node(node).unwrap().handle().status().await.unwrap();
    let groups = status["groups"].as_array().unwrap();
    let is_it = |value: &&serde_json::Value| value["keyspace_id"] == group.keyspace.0;
    groups.iter().find(is_it).cloned()
}

/// Waits until a replica says that of itself.
pub(crate) async fn until(
    cluster: &LocalCluster,
    node: NodeId,
    group: GroupId,
    holds: impl Fn(&serde_json::Value) -> bool,
) {
    let all = async {
        let known = || known_group(cluster, node, group);
        while !known().await.is_some_and(|status| holds(&status)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), all).await;
    waited.expect("the replica says so in time");
}
