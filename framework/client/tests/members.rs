//! Nodes join a running cluster, take each other's places and leave, while somebody writes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repertoire::core::{Acks, Descriptor, ErrorKind, KeyspaceId, NodeId, ReadLevel, Site};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Changed, Client, Keyspace, Newcomer, Operator};
use support::remote;

const PATIENCE: Duration = Duration::from_mins(1);

async fn cluster() -> LocalCluster {
    let nodes = [1, 2, 3].map(NodeId);
    let mut orders = Descriptor::single_shard(KeyspaceId(1), "orders", "single-leader", &nodes);
    orders.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let ledger = Descriptor::single_shard(KeyspaceId(2), "ledger", "single-leader", &nodes);
    // Its protocol does not change members: it is in nobody's way.
    let scratch = Descriptor::single_shard(KeyspaceId(3), "scratch", "standalone", &nodes[..1]);
    let mut scratch = scratch;
    scratch.options.acks = Acks::Async;
    let keyspaces = vec![orders.in_shards(2), ledger, scratch];
    let options = LocalOptions::new("growing");
    let cluster = LocalCluster::start(options, keyspaces).await.unwrap();
    cluster.ready(PATIENCE).await.unwrap();
    cluster
}

fn newcomer(cluster: &LocalCluster, node: NodeId) -> Newcomer {
    Newcomer {
        node,
        incarnation: cluster.node(node).unwrap().handle().identity().incarnation,
        address: cluster.address(node).unwrap(),
        site: Site::default(),
    }
}

async fn operator(client: &Client) -> Operator {
    client.operator().await.unwrap().patience(PATIENCE)
}

fn voters(changed: &[Changed]) -> BTreeSet<Vec<u64>> {
    let of = |group: &Changed| {
        let mut voters: Vec<u64> = group.voters.iter().map(|node| node.0).collect();
        voters.sort_unstable();
        voters
    };
    changed.iter().map(of).collect()
}

/// Writes on and on; returns how many were acknowledged.
async fn write(keyspace: Keyspace, stop: Arc<AtomicBool>) -> u32 {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let written = keyspace.put(format!("key-{number}"), number.to_string());
        written.await.unwrap();
        number += 1;
    }
    number
}

/// Whether a node holds all that was acknowledged, as soon as it has heard of it.
async fn holds(keyspace: &Keyspace, node: NodeId, count: u32) {
    let local = keyspace.level(ReadLevel::Local).at(node);
    let all = async {
        loop {
            let held = local.count_all().await;
            if held.is_ok_and(|held| held.total() >= u64::from(count)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_join_and_leave_while_somebody_writes() {
    let mut cluster = cluster().await;
    let client = remote(&cluster, 3).await;
    let operator = operator(&client).await;
    let orders = client.keyspace("orders").await.unwrap();
    let ledger = client.keyspace("ledger").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let patient = orders.acks(Acks::Majority).deadline(PATIENCE);
    let writer = tokio::spawn(write(patient, Arc::clone(&stop)));
    ledger.put("before", "1").await.unwrap();

    let four = cluster.add_node().await.unwrap();
    let joined = operator.add(&newcomer(&cluster, four), &[], true).await;
    let joined = joined.unwrap();
    assert_eq!(joined.len(), 4, "keyspace 0, two shards, the ledger");
    assert_eq!(voters(&joined), BTreeSet::from([vec![1, 2, 3, 4]]));
    let again = operator.add(&newcomer(&cluster, four), &[], true).await;
    assert_eq!(voters(&again.unwrap()), voters(&joined), "it is done");
    holds(&ledger, four, 1).await;

    // The dead are removed, too.
    cluster.stop_node(NodeId(3)).await.unwrap();
    let left = operator.decommission(NodeId(3)).await.unwrap();
    assert_eq!(voters(&left), BTreeSet::from([vec![1, 2, 4]]));
    assert!(operator.decommission(NodeId(3)).await.unwrap().is_empty());

    let five = cluster.add_node().await.unwrap();
    let replaced = operator.replace(NodeId(2), &newcomer(&cluster, five)).await;
    let replaced = voters(&replaced.unwrap());
    assert!(replaced.contains(&vec![1, 4, 5]), "{replaced:?}");
    let catalogue = operator.catalogue().await.unwrap();
    let gone = catalogue.all_members().filter(|member| member.has_left);
    assert_eq!(gone.map(|it| it.node.0).collect::<Vec<_>>(), [2, 3]);
    for keyspace in catalogue.keyspaces().filter(|it| it.name != "scratch") {
        for shard in keyspace.placement.shards.keys() {
            let listed: BTreeSet<u64> = keyspace.voters(*shard).map(|node| node.0).collect();
            assert_eq!(listed, BTreeSet::from([1, 4, 5]), "{}", keyspace.name);
        }
    }

    // Two of the three are newcomers, and enough.
    cluster.stop_node(NodeId(2)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let count = writer.await.unwrap();
    assert!(count > 0);
    for node in [NodeId(1), four, five] {
        holds(&orders, node, count).await;
    }
    cluster.stop_node(NodeId(1)).await.unwrap();
    let after = orders.deadline(PATIENCE).acks(Acks::Majority);
    after.put("after", "1").await.unwrap();
    assert_eq!(
        after.count_all().await.unwrap().total(),
        u64::from(count) + 1
    );
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_disk_stays_out_and_a_founder_is_no_newcomer() {
    let mut cluster = cluster().await;
    let client = remote(&cluster, 1).await;
    let operator = operator(&client).await;
    let founder = newcomer(&cluster, NodeId(2));
    let refused = operator.add(&founder, &[], true).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::ConfigInvalid, "{refused}");
    let listed = operator.catalogue().await.unwrap();
    let ledger = listed.by_name("ledger").unwrap();
    let all: Vec<u64> = ledger
        .voters(repertoire::core::ShardId(0))
        .map(|node| node.0)
        .collect();
    assert_eq!(all, [1, 2, 3], "nothing has changed");

    let stranger = operator.decommission(NodeId(9)).await.unwrap_err();
    assert!(stranger.to_string().contains("never had"), "{stranger}");
    let holder = operator.decommission(NodeId(1)).await.unwrap_err();
    assert_eq!(*holder.kind(), ErrorKind::Unsupported, "{holder}");
    let four = cluster.add_node().await.unwrap();
    let named = ["scratch".to_owned()];
    let fixed = operator.add(&newcomer(&cluster, four), &named, true).await;
    assert_eq!(*fixed.unwrap_err().kind(), ErrorKind::Unsupported);
    let reader = newcomer(&cluster, four);
    let only = ["ledger".to_owned()];
    let joined = operator.add(&reader, &only, false).await.unwrap();
    assert_eq!(joined.len(), 2, "and keyspace 0");
    assert_eq!(voters(&joined), BTreeSet::from([vec![1, 2, 3]]));
    let left = operator.remove(four, &only).await.unwrap();
    assert_eq!(left.len(), 1);
    let back = operator.add(&reader, &only, true).await.unwrap_err();
    assert!(
        back.to_string().contains("removed from the group"),
        "{back}"
    );
    cluster.stop().await.unwrap();
}
