//! Sessions over real nodes, over several devices and keyspaces, and what is made of bad tokens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use repertoire::core::{Acks, Descriptor, Error, ErrorKind, KeyspaceId, NodeId, TokenFault};
use repertoire::{Direction, LocalCluster, LocalNetwork, LocalOptions};
use repertoire_client::{Client, ReadPolicy};

fn fault(error: &Error) -> TokenFault {
    match error.kind() {
        ErrorKind::InvalidToken { fault } => fault.clone(),
        other => panic!("another error: {other}"),
    }
}

/// Every user reads what was just written, whichever replica serves it.
async fn reads_its_own(client: &Client, prefix: &str) {
    for user in 0..12_u32 {
        let session = client.session(user.to_le_bytes());
        for keyspace in ["data", "wide"] {
            let keyspace = session.keyspace(keyspace).await.unwrap();
            let quick = keyspace.with(|keyspace| keyspace.acks(Acks::Async));
            for round in 0..5_u32 {
                let (key, value) = (format!("{prefix}-{user}"), round.to_string());
                quick.put(&key, &value).await.unwrap();
                let found = keyspace.get(&key).await.unwrap();
                assert_eq!(found.as_deref(), Some(value.as_bytes()));
            }
            let key = format!("{prefix}-{user}");
            quick.delete(&key).await.unwrap();
            assert_eq!(keyspace.get(&key).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_session_sees_its_writes_at_any_replica_and_when_one_is_gone() {
    let mut cluster = support::cluster().await;
    let embedded = support::embedded(&cluster, 1).await;
    let remote = support::remote(&cluster, 2).await;
    reads_its_own(&embedded, "embedded").await;
    reads_its_own(&remote, "remote").await;
    cluster.stop_node(NodeId(3)).await.unwrap();
    reads_its_own(&remote, "without-one").await;
}

#[tokio::test]
async fn a_token_passes_a_session_on_to_another_device_and_another_keyspace() {
    let cluster = support::cluster().await;
    let (phone, laptop) = (
        support::embedded(&cluster, 1).await,
        support::remote(&cluster, 3).await,
    );
    let asks = phone.session("poons");
    for keyspace in ["data", "wide"] {
        let keyspace = asks.keyspace(keyspace).await.unwrap();
        let keyspace = keyspace.with(|keyspace| keyspace.acks(Acks::Async));
        keyspace.put("question", "how far?").await.unwrap();
    }
    let token = asks.token().await.unwrap();
    assert!(token.len() < 300, "{token}");
    for policy in [ReadPolicy::Sticky, ReadPolicy::Leader] {
        let goes_on = laptop.resume("cake", &token).await.unwrap().reading(policy);
        assert_eq!(goes_on.positions(), asks.positions());
        for keyspace in ["data", "wide"] {
            let found = goes_on
                .keyspace(keyspace)
                .await
                .unwrap()
                .get("question")
                .await;
            assert_eq!(found.unwrap().as_deref(), Some(&b"how far?"[..]));
        }
    }

    // Every kind of bad token has its own error, and the nodes go on.
    let mut flipped = token.clone().into_bytes();
    let last = flipped.len() - 4;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let resumed = laptop.resume("cake", &flipped).await.unwrap_err();
    assert_eq!(fault(&resumed), TokenFault::Forged);
    let resumed = laptop.resume("cake", &"A".repeat(5000)).await.unwrap_err();
    assert!(matches!(
        fault(&resumed),
        TokenFault::TooLong { len: 5000, .. }
    ));
    let resumed = laptop.resume("cake", "no token").await.unwrap_err();
    assert_eq!(fault(&resumed), TokenFault::Malformed);
    let resumed = laptop.resume("cake", &token[..token.len() - 4]).await;
    let cut = fault(&resumed.unwrap_err());
    assert!(
        matches!(cut, TokenFault::Forged | TokenFault::Malformed),
        "{cut}"
    );

    let other = LocalCluster::start(LocalOptions::new("another"), Vec::new())
        .await
        .unwrap();
    let stranger = support::remote(&other, 1).await;
    let resumed = stranger.resume("cake", &token).await.unwrap_err();
    assert!(matches!(fault(&resumed), TokenFault::Foreign { .. }));
    assert_eq!(
        laptop.resume("cake", &token).await.unwrap().positions(),
        asks.positions()
    );
}

/// The session has seen a write that went with its leader: it hears so, until it says that it goes on without.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_write_was_discarded_says_so() {
    let nodes = [1, 2, 3].map(NodeId);
    let mut data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    data.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let mut options = LocalOptions::new("forgetful");
    options.network = LocalNetwork::Faulty;
    let mut cluster = LocalCluster::start(options, vec![data]).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    let client = support::embedded(&cluster, 3).await;
    let plain = client.keyspace("data").await.unwrap();
    plain.put("before", "1").await.unwrap();
    let leader = support::leader(&cluster, &client).await;

    // It says that it is done before anybody else has it, and nobody else will.
    let others: Vec<NodeId> = cluster.ids().filter(|id| *id != leader).collect();
    for other in &others {
        let faults = cluster.faults(leader).unwrap();
        faults.cut(*other, Direction::Out);
    }
    let session = client.session("poons");
    let seen = session.keyspace("data").await.unwrap();
    let seen = seen.with(|keyspace| keyspace.acks(Acks::Async));
    seen.put("lost", "1").await.unwrap();
    let token = session.token().await.unwrap();
    cluster.stop_node(leader).await.unwrap();

    let patient = plain.deadline(Duration::from_secs(30));
    patient.put("after", "1").await.unwrap();
    let resumed = client.resume("cake", &token).await.unwrap();
    let data = resumed.keyspace("data").await.unwrap();
    let error = data.get("lost").await.unwrap_err();
    let is_told = matches!(error.kind(), ErrorKind::Discarded { .. });
    assert!(is_told, "{error}");
    let again = data.get("after").await.unwrap_err();
    assert_eq!(again.kind(), error.kind(), "it is not passed over");
    assert!(data.accept_loss(&error));
    let data = data.with(|keyspace| keyspace.deadline(Duration::from_secs(30)));
    data.put("again", "1").await.unwrap();
    let found = data.get("again").await.unwrap();
    assert_eq!(found.as_deref(), Some(&b"1"[..]), "it goes on without it");
    assert_eq!(data.get("lost").await.unwrap(), None);
    cluster.stop().await.unwrap();
}
