//! The leader of a keyspace goes away, and its clients notice no more than a pause.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use repertoire::core::ReadLevel;
use repertoire_client::Keyspace;

async fn put_all(data: &Keyspace, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let key = format!("key-{number}");
        data.put(key, number.to_be_bytes()).await.unwrap();
    }
}

async fn expect_all(data: &Keyspace, count: u32) {
    for number in 0..count {
        let (_, value) = data.get(format!("key-{number}")).await.unwrap();
        assert_eq!(
            value.as_deref(),
            Some(&number.to_be_bytes()[..]),
            "{number}"
        );
    }
}

#[tokio::test]
async fn writes_go_on_with_a_new_leader_and_none_is_lost() {
    let mut cluster = support::electing_cluster().await;
    let client = support::remote(&cluster, 2).await;
    let data = client.keyspace("data").await.unwrap();
    let data = data.level(ReadLevel::Leader);
    put_all(&data, 0..100).await;
    for round in 1..=2 {
        let gone = support::leader(&cluster, &client).await;
        cluster.stop_node(gone).await.unwrap();
        put_all(&data, round * 100..(round + 1) * 100).await;
        expect_all(&data, (round + 1) * 100).await;
        let heir = support::leader(&cluster, &client).await;
        assert_ne!(heir, gone);
        cluster.start_node(gone).await.unwrap();
    }
    // Those that were away follow again: everything is there at each of them.
    let written = data.put("last", "1").await.unwrap();
    let position = repertoire::core::Position::Entry(written.ack.position);
    for id in cluster.ids() {
        let session = data.level(ReadLevel::Session(position.clone())).at(id);
        assert!(session.get("last").await.unwrap().1.is_some(), "{id}");
    }
    drop((client, data));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_turns_from_a_node_of_its_own_process_that_stopped() {
    let mut cluster = support::electing_cluster().await;
    let client = support::embedded(&cluster, 1).await;
    let data = client.keyspace("data").await.unwrap();
    put_all(&data, 0..10).await;
    let gone = support::leader(&cluster, &client).await;
    cluster.stop_node(gone).await.unwrap();
    put_all(&data, 10..20).await;
    expect_all(&data, 20).await;
}
