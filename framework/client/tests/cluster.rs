//! Clients of both kinds against real nodes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use repertoire::core::{
    Acks, ErrorKind, Guard, NodeId, Operation, Position, ReadLevel, ShardId, WriteOutcome,
};
use repertoire_client::{Client, Completion, Keyspace};

/// What every client can do, whatever connects it.
async fn tour(client: &Client, prefix: &str) {
    let data = client.keyspace("data").await.unwrap();
    let key = |name: &str| format!("{prefix}/{name}");
    let written = data.acks(Acks::Sync).put(key("a"), "1").await.unwrap();
    assert_eq!(written.ack.copies, 3);
    let (position, value) = data.get(key("a")).await.unwrap();
    assert_eq!(value.as_deref(), Some(&b"1"[..]));
    assert!(matches!(position, Position::Entry(_)));

    data.compare_and_set(key("a"), Some(b"1"), Some(b"2"))
        .await
        .unwrap();
    let lost = data
        .compare_and_set(key("a"), Some(b"1"), Some(b"3"))
        .await
        .unwrap_err();
    assert_eq!(
        (lost.kind(), lost.outcome()),
        (&ErrorKind::Conflict, WriteOutcome::NotApplied)
    );

    let (b, c) = (key("b"), key("c"));
    let put = |key, value| Operation::Put {
        key,
        value,
        expires_at: None,
    };
    data.batch(vec![put(b.as_bytes(), b"4"), put(c.as_bytes(), b"5")])
        .await
        .unwrap();
    let guard = Guard {
        key: b.as_bytes(),
        expected: Some(b"4"),
    };
    let delete = Operation::Delete { key: c.as_bytes() };
    let written = data
        .transaction(vec![guard], vec![delete], vec![])
        .await
        .unwrap();

    // Every replica shows it to the session that wrote it.
    for node in 1..=3 {
        let session = ReadLevel::Session(Position::Entry(written.ack.position));
        let follower = data.level(session).at(NodeId(node));
        assert_eq!(follower.get(&c).await.unwrap().1, None);
        let (_, rows) = follower.scan(key(""), key("~"), 10).await.unwrap();
        assert_eq!(rows.len(), 2);
    }
    let (at, digest) = data.digest(None).await.unwrap();
    let session = data.level(ReadLevel::Session(at)).at(NodeId(3));
    assert_eq!(session.digest(None).await.unwrap().1, digest);
    assert!(data.count(None).await.unwrap().1 >= 2);

    // Every node knows that there is no such keyspace: nothing is waited for, however patient the
    // client is.
    let asked = tokio::time::timeout(Duration::from_secs(60), client.keyspace("nonsense")).await;
    let unknown = asked.expect("an answer before patience ends").unwrap_err();
    assert_eq!(*unknown.kind(), ErrorKind::UnknownKeyspace);
    let long = vec![b'k'; 5000];
    let put = Operation::Put {
        key: &long,
        value: b"v",
        expires_at: None,
    };
    let (pipeline, mut completions) = data.pipeline();
    pipeline.submit(vec![put.encode()]).await.unwrap();
    let mut done = Vec::new();
    completions.next(&mut done).await;
    let Some(Completion::Failed { error, .. }) = done.pop() else {
        panic!("not refused: {done:?}");
    };
    let (len, max) = (5000, 4096);
    assert_eq!(*error.kind(), ErrorKind::TooLarge { len, max });
    let status = client.status(client.nodes()[0]).await.unwrap();
    assert!(status.is_object());
}

/// Submits puts without waiting and counts what becomes of them.
async fn pour(keyspace: &Keyspace, writes: u64) {
    let (pipeline, mut completions) = keyspace.pipeline();
    let put = |i: u64| {
        let (key, value) = (format!("poured-{i}"), [7; 100]);
        Operation::Put {
            key: key.as_bytes(),
            value: &value,
            expires_at: None,
        }
        .encode()
    };
    let bodies: Vec<_> = (0..writes).map(put).collect();
    let submitting = tokio::spawn(async move {
        for chunk in bodies.chunks(500) {
            pipeline.submit(chunk.to_vec()).await.unwrap();
        }
    });
    let mut tickets = BTreeSet::new();
    let mut batch = Vec::new();
    while (tickets.len() as u64) < writes {
        completions.next(&mut batch).await;
        for completion in batch.drain(..) {
            let Completion::Written { first, count, .. } = completion else {
                panic!("{completion:?}");
            };
            for ticket in first..first + count {
                assert!(tickets.insert(ticket), "{ticket} ended twice");
            }
        }
    }
    submitting.await.unwrap();
    assert_eq!(tickets.last().copied(), Some(writes));
}

async fn wide(client: &Client) {
    let wide = client.keyspace("wide").await.unwrap();
    assert_eq!(wide.shards().len(), 4);
    pour(&wide, 2000).await;
    let mut rows = 0;
    for shard in wide.shards() {
        let (_, count) = wide.count(Some(shard)).await.unwrap();
        let (_, scanned) = wide.scan_shard(shard, "", "", 5000).await.unwrap();
        assert_eq!(count, scanned.len() as u64);
        assert!(count > 0, "{shard} is empty");
        rows += count;
    }
    assert_eq!(rows, 2000);
    assert_eq!(
        *wide.scan("", "", 1).await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(wide.shards()[3], ShardId(3));
}

#[tokio::test]
async fn both_kinds_of_client_see_one_database() {
    let cluster = support::cluster().await;
    // Begin at a follower, so that the leader must be found.
    let embedded = support::embedded(&cluster, 2).await;
    tour(&embedded, "embedded").await;
    let remote = support::remote(&cluster, 3).await;
    tour(&remote, "remote").await;

    let data = embedded.keyspace("data").await.unwrap();
    pour(&data, 20_000).await;
    let data = remote.keyspace("data").await.unwrap();
    pour(&data, 20_000).await;
    assert_eq!(
        data.get("poured-19999").await.unwrap().1.unwrap().len(),
        100
    );
    wide(&remote).await;
    drop((embedded, remote, data));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_of_the_leader_costs_no_write_and_doubles_none() {
    let mut cluster = support::cluster().await;
    let client = support::remote(&cluster, 2).await;
    let data = client.keyspace("data").await.unwrap();
    data.put("counter", 0_u64.to_be_bytes()).await.unwrap();
    let counting = tokio::spawn({
        let data = data.clone();
        async move {
            let mut doubtful = 0;
            for next in 1..=300_u64 {
                let (old, new) = ((next - 1).to_be_bytes(), next.to_be_bytes());
                match data
                    .compare_and_set("counter", Some(&old), Some(&new))
                    .await
                {
                    Ok(_) => {}
                    // Each number follows its predecessor once: a doubled write would conflict.
                    Err(error) => {
                        assert_eq!(error.outcome(), WriteOutcome::Unknown, "{error}");
                        doubtful += 1;
                    }
                }
            }
            doubtful
        }
    });
    let leader = NodeId(1);
    while data.get("counter").await.unwrap().1.as_deref() < Some(&50_u64.to_be_bytes()[..]) {
        tokio::task::yield_now().await;
    }
    cluster.stop_node(leader).await.unwrap();
    cluster.start_node(leader).await.unwrap();
    let doubtful = tokio::time::timeout(Duration::from_mins(2), counting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(doubtful, 0);
    let (_, value) = data.get("counter").await.unwrap();
    assert_eq!(value.as_deref(), Some(&300_u64.to_be_bytes()[..]));
    drop((client, data));
    cluster.stop().await.unwrap();
}
