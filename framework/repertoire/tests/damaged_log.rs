//! Bits of a node's log rot while it is down: the node starts, says so, and serves nothing less.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;
#[path = "support/writes.rs"]
mod writes;

use std::path::Path;

use repertoire::core::{
    Acks, Answer, ErrorKind, GroupId, Mono, NodeId, Outcome, ReadLevel, ReadQuery, Site,
};
use repertoire::runtime::EmbeddedSession;
use repertoire::{FormatOptions, LocalCluster, LocalOptions, cluster_id_of, format};
use writes::{group_status, one, put, session, try_put, until};

const DATA: GroupId = GroupId::new(1, 0);
const OTHER: GroupId = GroupId::new(2, 0);
const ELECTED: GroupId = GroupId::new(3, 0);
const LEADER: NodeId = NodeId(1);
const FOLLOWER: NodeId = NodeId(3);

async fn start() -> LocalCluster {
    let mut elected = support::keyspace(3, "elected");
    elected.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    elected.options.acks = Acks::Majority;
    let keyspaces = vec![
        support::keyspace(1, "data"),
        support::keyspace(2, "other"),
        elected,
    ];
    support::start(LocalOptions::new("test"), keyspaces).await
}

/// Flips a bit of the value that a node's log holds of this write.
fn rot(data: &Path, seq: u64, group: GroupId) {
    let value = format!("value {seq} of {group}");
    let mut flipped = 0;
    for file in std::fs::read_dir(data.join("log")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let windows = bytes.windows(value.len());
        let found = windows
            .enumerate()
            .find(|(_, window)| *window == value.as_bytes());
        if let Some((at, _)) = found {
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1, "the value lies in one place");
}

#[tokio::test]
async fn a_follower_gets_what_it_lost_from_the_leader() {
    let mut cluster = start().await;
    let writer = session(&cluster, LEADER);
    put(&writer, DATA, 1..=60).await;
    put(&writer, OTHER, 1..=10).await;
    support::converged(&cluster, DATA).await;
    cluster.stop_node(FOLLOWER).await.unwrap();
    rot(&cluster.data(FOLLOWER), 30, DATA);
    put(&writer, DATA, 61..=80).await;

    cluster.start_node(FOLLOWER).await.unwrap();
    let status = group_status(&cluster, FOLLOWER, DATA).await;
    assert_eq!(status["damaged"], true, "{status:#}");
    assert_eq!(status["poisoned"], serde_json::Value::Null);
    let status = group_status(&cluster, FOLLOWER, OTHER).await;
    assert_eq!(status["damaged"], false, "{status:#}");
    support::converged(&cluster, DATA).await;
    support::converged(&cluster, OTHER).await;
    // Its copies count again.
    let outcome = try_put(&writer, DATA, 81, Acks::Sync).await;
    assert!(matches!(outcome, Outcome::Written { ack, .. } if ack.copies == 3));
    support::converged(&cluster, DATA).await;
    drop(writer);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_refuses_the_keyspace_rather_than_serve_less_than_it_acknowledged() {
    let mut cluster = start().await;
    let writer = session(&cluster, LEADER);
    put(&writer, DATA, 1..=60).await;
    support::converged(&cluster, DATA).await;
    let before = support::digest(&cluster, NodeId(2), DATA).await;
    drop(writer);
    cluster.stop_node(LEADER).await.unwrap();
    rot(&cluster.data(LEADER), 30, DATA);

    cluster.start_node(LEADER).await.unwrap();
    let status = group_status(&cluster, LEADER, DATA).await;
    let poisoned = status["poisoned"].as_str().unwrap();
    assert!(poisoned.contains("damaged"), "{poisoned}");
    let writer = session(&cluster, LEADER);
    for level in [ReadLevel::Local, ReadLevel::Leader] {
        let read = writer.read(DATA, level, Mono::NEVER, ReadQuery::Digest);
        read.unwrap();
        assert_corrupted(&one(&writer).await);
    }
    assert_corrupted(&try_put(&writer, DATA, 61, Acks::Async).await);
    // The others hold what was acknowledged, and the node's other keyspaces go on.
    assert_eq!(
        before,
        support::digest(&cluster, NodeId(2), DATA).await,
        "nobody gave up a write"
    );
    put(&writer, OTHER, 1..=10).await;
    support::converged(&cluster, OTHER).await;
    drop(writer);
    cluster.stop().await.unwrap();
}

/// The follower, which came back with less than it had, is needed to elect the next leader.
async fn votes_again(mut cluster: LocalCluster) {
    let remembers = |status: &serde_json::Value| status["details"]["is_amnesiac"] == 0;
    until(&cluster, FOLLOWER, ELECTED, remembers).await;
    cluster.stop_node(LEADER).await.unwrap();
    let leads = |status: &serde_json::Value| status["role"] == "leader";
    let next = NodeId(2);
    let second = until(&cluster, next, ELECTED, leads);
    let third = until(&cluster, FOLLOWER, ELECTED, leads);
    let leader = tokio::select! { () = second => next, () = third => FOLLOWER };
    let writer = session(&cluster, leader);
    put(&writer, ELECTED, 81..=90).await;
    let read = writer.read(ELECTED, ReadLevel::Leader, Mono::NEVER, ReadQuery::Count);
    read.unwrap();
    let outcome = one(&writer).await;
    let is_whole = matches!(
        outcome,
        Outcome::Answered {
            answer: Answer::Count(90),
            ..
        }
    );
    assert!(is_whole, "{outcome:?}");
    drop(writer);
    cluster.stop().await.unwrap();
}

/// A cluster whose elected leader has acknowledged sixty writes.
async fn start_elected() -> (LocalCluster, EmbeddedSession) {
    let cluster = start().await;
    until(&cluster, LEADER, ELECTED, |status| {
        status["role"] == "leader"
    })
    .await;
    let writer = session(&cluster, LEADER);
    put(&writer, ELECTED, 1..=60).await;
    (cluster, writer)
}

#[tokio::test]
async fn a_voter_that_lost_a_record_votes_again() {
    let (mut cluster, writer) = start_elected().await;
    support::converged(&cluster, ELECTED).await;
    cluster.stop_node(FOLLOWER).await.unwrap();
    rot(&cluster.data(FOLLOWER), 30, ELECTED);
    put(&writer, ELECTED, 61..=80).await;
    drop(writer);
    cluster.start_node(FOLLOWER).await.unwrap();
    let status = group_status(&cluster, FOLLOWER, ELECTED).await;
    assert_eq!(status["damaged"], true, "{status:#}");
    votes_again(cluster).await;
}

#[tokio::test]
async fn a_voter_on_an_empty_disk_votes_again() {
    let (mut cluster, writer) = start_elected().await;
    cluster.stop_node(FOLLOWER).await.unwrap();
    put(&writer, ELECTED, 61..=80).await;
    drop(writer);
    let data = cluster.data(FOLLOWER);
    std::fs::remove_dir_all(&data).unwrap();
    let options = FormatOptions {
        cluster_name: "test".to_owned(),
        cluster: cluster_id_of("test"),
        node: FOLLOWER,
        site: Site::default(),
    };
    format(&data, &options).unwrap();
    cluster.start_node(FOLLOWER).await.unwrap();
    votes_again(cluster).await;
}

fn assert_corrupted(outcome: &Outcome) {
    let is_it = matches!(outcome, Outcome::Failed(error) if *error.kind() == ErrorKind::Corrupted);
    assert!(is_it, "{outcome:?}");
}
