//! Ids and fencing tokens over failovers of real nodes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use repertoire::core::{
    Acks, Descriptor, ErrorKind, FencedResource, KeyspaceId, NodeId, SequenceId,
};
use repertoire::{Direction, LocalCluster, LocalNetwork, LocalOptions};

const BLOCK: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// A leader that hears nobody leads on for so long: until then it acknowledges what asks for one copy.
const ELECTION_TIMEOUT_MS: u32 = 2000;

/// Three nodes whose links can be cut, with a keyspace that elects its leader and waits for no copies.
async fn asynchronous() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let mut data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    data.options.acks = Acks::Async;
    data.plugin_options = format!(
        r#"{{"single-leader": {{"failover": "elect", "election_timeout_ms": {ELECTION_TIMEOUT_MS}}}}}"#
    );
    let mut options = LocalOptions::new("sequences");
    options.network = LocalNetwork::Faulty;
    let cluster = LocalCluster::start(options, vec![data]).await.unwrap();
    cluster.ready(Duration::from_mins(1)).await.unwrap();
    cluster
}

#[tokio::test]
async fn ids_and_tokens_of_a_leadership_that_was_discarded_do_not_come_again() {
    let mut cluster = asynchronous().await;
    let client = support::embedded(&cluster, 1).await;
    let data = client.keyspace("data").await.unwrap();
    let ids = data.sequence("next", BLOCK);
    let mut given: Vec<SequenceId> = Vec::new();
    for _ in 0..4 {
        given.push(ids.next().await.unwrap());
    }

    // The leader goes on alone, and dies with what it gave.
    let old = support::leader(&cluster, &client).await;
    for other in cluster.ids().filter(|id| *id != old) {
        cluster.faults(old).unwrap().cut(other, Direction::Both);
    }
    let alone = data.sequence("next", BLOCK);
    for _ in 0..6 {
        given.push(alone.next().await.unwrap());
    }
    let lock = data
        .compare_and_set("lock", None, Some(b"alice"))
        .await
        .unwrap();
    let alice = data.fencing_token("lock", &lock);
    cluster.stop_node(old).await.unwrap();

    // Nobody has heard of that: the same numbers and the same lock, from another leadership.
    let heir = data.sequence("next", BLOCK);
    for _ in 0..6 {
        given.push(heir.next().await.unwrap());
    }
    let lock = data
        .compare_and_set("lock", None, Some(b"bob"))
        .await
        .unwrap();
    let bob = data.fencing_token("lock", &lock);

    let distinct: BTreeSet<SequenceId> = given.iter().copied().collect();
    assert_eq!(distinct.len(), given.len(), "{given:?}");
    let numbers: BTreeSet<u64> = given.iter().map(|id| id.number).collect();
    assert!(
        numbers.len() < given.len(),
        "the count went back: {given:?}"
    );

    assert!(alice.is_older_than(bob), "{alice} {bob}");
    let mut printer = FencedResource::new(Vec::new());
    printer.admit(alice).unwrap().push("alice");
    printer.admit(bob).unwrap().push("bob");
    let late = printer.admit(alice).unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Fenced { .. }), "{late}");
    assert_eq!(printer.get(), &["alice", "bob"]);
}

#[tokio::test]
async fn clients_side_by_side_share_the_numbers() {
    let cluster = support::cluster().await;
    let clients = [
        support::embedded(&cluster, 1).await,
        support::remote(&cluster, 2).await,
    ];
    let mut tasks = Vec::new();
    for client in clients {
        let ids = client
            .keyspace("wide")
            .await
            .unwrap()
            .sequence("next", BLOCK);
        tasks.push(tokio::spawn(async move {
            let mut given = Vec::new();
            for _ in 0..50 {
                given.push(ids.next().await.unwrap());
            }
            assert!(given.is_sorted(), "{given:?}");
            given
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all.len(), 100);
}
