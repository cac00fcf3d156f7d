//! Promotions through a node's handle.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::time::Duration;

use repertoire::core::{Appointment, ErrorKind, GroupId, LeaderEpoch, NodeId, Promotion};
use repertoire::{LocalNetwork, LocalOptions};

#[tokio::test]
async fn who_leads_replaces_nobody_and_who_hears_the_leader_does_not_either() {
    let mut keyspace = support::keyspace(1, "ledger");
    keyspace.plugin_options = r#"{"single-leader": {"failover": "appoint"}}"#.to_owned();
    let options = LocalOptions {
        network: LocalNetwork::Memory,
        ..LocalOptions::new("promote")
    };
    let cluster = support::start(options, vec![keyspace]).await;
    let group = GroupId::new(1, 0);
    let order = |node, epoch| {
        let handle = cluster.node(NodeId(node)).unwrap().handle().clone();
        async move {
            handle
                .promote(group, Promotion::of(LeaderEpoch(epoch)))
                .await
        }
    };
    // A new group takes a moment to find out that it is new, and to elect its first leader.
    let led = async { while order(1, 0).await.ok() != Some(Appointment::Leads) {} };
    tokio::time::timeout(Duration::from_secs(30), led)
        .await
        .unwrap();
    support::converged(&cluster, group).await;
    let epoch = 1;
    let refused = order(2, epoch).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Conflict, "{refused}");
    let late = order(2, epoch - 1).await.unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Fenced { .. }), "{late}");
    cluster.stop().await.unwrap();
}
