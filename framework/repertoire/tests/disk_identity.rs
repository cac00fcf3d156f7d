//! A data folder that is not the one that the others know: restored from a copy, or copied and run
//! twice. Its node is told so by the first peer that it meets, stops, and comes back as a new disk that
//! learns from the others what it lacks.
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
use std::time::Duration;

use repertoire::core::{Acks, ErrorKind, GroupId, NodeId};
use repertoire::runtime::read_identity;
use repertoire::{LocalCluster, LocalOptions};
use writes::{group_status, put, session, try_put, until};

const DATA: GroupId = GroupId::new(1, 0);
const LEADER: NodeId = NodeId(1);
const FOLLOWER: NodeId = NodeId(3);

async fn start() -> LocalCluster {
    let mut keyspace = support::keyspace(1, "data");
    keyspace.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    keyspace.options.acks = Acks::Majority;
    let cluster = support::start(LocalOptions::new("test"), vec![keyspace]).await;
    until(&cluster, LEADER, DATA, |status| status["role"] == "leader").await;
    cluster
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Stops the follower, runs it `starts` times more than its copy, and puts the copy in its place.
async fn restore_yesterday(cluster: &mut LocalCluster, starts: u64) {
    let data = cluster.data(FOLLOWER);
    let kept = data.with_extension("kept");
    cluster.stop_node(FOLLOWER).await.unwrap();
    copy(&data, &kept);
    for start in 0..starts {
        cluster.start_node(FOLLOWER).await.unwrap();
        until(cluster, FOLLOWER, DATA, |status| {
            status["role"] == "follower"
        })
        .await;
        let writer = session(cluster, LEADER);
        let seq = 21 + start;
        // The follower has promised to hold it.
        let outcome = try_put(&writer, DATA, seq, Acks::Sync).await;
        assert!(format!("{outcome:?}").contains("Written"), "{outcome:?}");
        cluster.stop_node(FOLLOWER).await.unwrap();
    }
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&kept, &data).unwrap();
}

/// The node stops by itself, and says why.
async fn is_disowned(cluster: &mut LocalCluster, why: &str) {
    cluster.start_node(FOLLOWER).await.unwrap();
    let ended = cluster.node(FOLLOWER).unwrap().handle().ended();
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    let error = ended.expect("it stops by itself").unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::IdentityRefused);
    let text = error.to_string();
    assert!(text.contains(why) && text.contains("remedy"), "{text}");
    let _ = cluster.stop_node(FOLLOWER).await;
}

async fn comes_back(mut cluster: LocalCluster, before: u128) {
    cluster.start_node(FOLLOWER).await.unwrap();
    let status = group_status(&cluster, FOLLOWER, DATA).await;
    assert_eq!(status["damaged"], true, "{status:#}");
    let remembers = |status: &serde_json::Value| status["details"]["is_amnesiac"] == 0;
    until(&cluster, FOLLOWER, DATA, remembers).await;
    support::converged(&cluster, DATA).await;
    let identity = read_identity(&cluster.data(FOLLOWER)).unwrap();
    assert_ne!(identity.incarnation.0, before, "it is another disk now");
    // And a disk like any other from now on.
    cluster.stop_node(FOLLOWER).await.unwrap();
    cluster.start_node(FOLLOWER).await.unwrap();
    let status = group_status(&cluster, FOLLOWER, DATA).await;
    assert_eq!(status["damaged"], false, "{status:#}");
    let writer = session(&cluster, LEADER);
    let outcome = try_put(&writer, DATA, 40, Acks::Sync).await;
    assert!(format!("{outcome:?}").contains("copies: 3"), "{outcome:?}");
    drop(writer);
    cluster.stop().await.unwrap();
}

async fn goes_on_as_a_new_disk(starts: u64, why: &str) {
    let mut cluster = start().await;
    let writer = session(&cluster, LEADER);
    put(&writer, DATA, 1..=20).await;
    drop(writer);
    let before = read_identity(&cluster.data(FOLLOWER))
        .unwrap()
        .incarnation
        .0;
    restore_yesterday(&mut cluster, starts).await;
    is_disowned(&mut cluster, why).await;
    comes_back(cluster, before).await;
}

#[tokio::test]
async fn a_folder_of_yesterday_is_recognised() {
    // Which of the two a peer can tell depends on which of the starts it has met.
    goes_on_as_a_new_disk(2, " a copy").await;
}

#[tokio::test]
async fn a_second_copy_of_a_folder_is_recognised() {
    goes_on_as_a_new_disk(1, "started apart").await;
}
