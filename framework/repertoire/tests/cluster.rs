//! Three nodes over QUIC in one process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::Duration;

use repertoire::core::{
    Acks, Answer, ClientId, GroupId, Mono, NodeId, Operation, Outcome, ReadLevel, ReadQuery,
    RequestId,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalNetwork, LocalOptions};

const DATA: GroupId = GroupId::new(1, 0);

/// Three nodes with one keyspace, `data`.
async fn start() -> LocalCluster {
    start_with(LocalOptions::new("test")).await
}

async fn start_with(options: LocalOptions) -> LocalCluster {
    support::start(options, vec![support::keyspace(1, "data")]).await
}

fn puts(seqs: RangeInclusive<u64>, acks: Acks) -> Vec<EmbeddedWrite> {
    // A session of today: one from long ago counts as forgotten.
    static CLIENT: LazyLock<ClientId> = LazyLock::new(|| ClientId::new(clock::now().wall, 7));
    let put = |seq: u64| EmbeddedWrite {
        group: DATA,
        id: RequestId {
            client: *CLIENT,
            seq,
            acked_upto: 0,
        },
        acks: Some(acks),
        deadline: Mono::NEVER,
        body: Operation::Put {
            key: format!("key-{seq}").as_bytes(),
            value: b"value",
            expires_at: None,
        }
        .encode(),
    };
    seqs.map(put).collect()
}

async fn written(session: &EmbeddedSession, count: usize, copies: u8) {
    let mut done = 0;
    while done < count {
        let replies = tokio::time::timeout(Duration::from_secs(30), session.replies()).await;
        for reply in replies.expect("replies in time") {
            let Outcome::Written { ack, .. } = reply.outcome else {
                panic!("not written: {:?}", reply.outcome)
            };
            assert!(ack.copies >= copies, "{ack:?}");
            done += 1;
        }
    }
}

#[tokio::test]
async fn three_nodes_replicate_and_agree() {
    let cluster = start().await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    session.write(puts(1..=1000, Acks::Sync)).unwrap();
    written(&session, 1000, 3).await;
    support::converged(&cluster, DATA).await;
    drop(session);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn nodes_replicate_and_come_back_without_a_network() {
    let mut options = LocalOptions::new("test");
    options.network = LocalNetwork::Memory;
    let mut cluster = start_with(options).await;
    assert_eq!(cluster.node(NodeId(1)).unwrap().local_addr(), None);
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    cluster.stop_node(NodeId(3)).await.unwrap();
    session.write(puts(1..=500, Acks::SemiSync(1))).unwrap();
    written(&session, 500, 2).await;
    cluster.start_node(NodeId(3)).await.unwrap();
    session.write(puts(501..=1000, Acks::Sync)).unwrap();
    written(&session, 500, 3).await;
    support::converged(&cluster, DATA).await;
    drop(session);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_follower_that_was_away_catches_up() {
    let mut cluster = start().await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    session.write(puts(1..=500, Acks::Sync)).unwrap();
    written(&session, 500, 3).await;
    cluster.stop_node(NodeId(3)).await.unwrap();
    session.write(puts(501..=1500, Acks::Majority)).unwrap();
    written(&session, 1000, 2).await;
    cluster.start_node(NodeId(3)).await.unwrap();
    support::converged(&cluster, DATA).await;
    drop(session);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_restarted_cluster_holds_everything_and_remembers_request_ids() {
    let mut cluster = start().await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    session.write(puts(1..=300, Acks::Majority)).unwrap();
    written(&session, 300, 2).await;
    drop(session);
    for id in cluster.ids() {
        cluster.stop_node(id).await.unwrap();
    }
    for id in cluster.ids() {
        cluster.start_node(id).await.unwrap();
    }
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    // The same requests again: answered from the dedup table, applied once.
    session.write(puts(1..=300, Acks::Majority)).unwrap();
    written(&session, 300, 1).await;
    let status = cluster
        .node(NodeId(1))
        .unwrap()
        .handle()
        .status()
        .await
        .unwrap();
    let last = &status["groups"][1]["last"]["lsn"];
    // 300 puts and a barrier for each of the two starts.
    assert_eq!(last, 302, "{status:#}");
    drop(session);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_kept_folder_is_opened_again_with_its_data_and_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let start = || async {
        let mut options = LocalOptions::new("kept");
        options.folder = Some(folder.path().to_owned());
        start_with(options).await
    };
    let cluster = start().await;
    let addresses = cluster.addresses().to_vec();
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    session.write(puts(1..=20, Acks::Sync)).unwrap();
    written(&session, 20, 3).await;
    drop(session);
    cluster.stop().await.unwrap();
    let cluster = start().await;
    assert_eq!(cluster.addresses(), addresses);
    // The leader answers once it knows what its former self had acknowledged.
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    let count = ReadQuery::Count;
    session
        .read(DATA, ReadLevel::Leader, Mono::NEVER, count)
        .unwrap();
    let outcome = session.replies().await.remove(0).outcome;
    let Outcome::Answered { answer, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(answer, Answer::Count(20));
    drop(session);
    cluster.stop().await.unwrap();
}
