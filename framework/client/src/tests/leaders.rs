//! Finding the leader, and staying with it.

use std::time::Duration;

use repertoire_core::{Answer, Error, ErrorKind, NodeId, Position, ReadLevel};
use repertoire_wire::client::ReplyItem;
use tokio::spawn;
use tokio::time::Instant;

use super::fake::{Cluster, ack, error};
use crate::link::Parcel;

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_with_the_same_identity_and_remembered() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut one = cluster.link().await;
    let first = one.writes().await;
    one.failed(&first, Error::not_leader(Some(NodeId(3)), "write"));
    let mut three = cluster.link().await;
    assert_eq!(three.node, NodeId(3));
    let second = three.writes().await;
    assert_eq!(
        (second.client, second.first_seq),
        (first.client, first.first_seq)
    );
    assert_eq!(second.bodies, first.bodies);
    three.done(&second);
    assert_eq!(put.await.unwrap().unwrap().ack, ack(1));
    // The next write goes there at once.
    let put = spawn(async move { keyspace.put("k", "w").await });
    let third = three.writes().await;
    assert_eq!((third.first_seq, third.acked_upto), (2, 1));
    three.done(&third);
    put.await.unwrap().unwrap();
    assert!(cluster.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn without_a_hint_the_replicas_have_their_turn() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    for expected in [1, 2] {
        let mut link = cluster.link().await;
        assert_eq!(link.node, NodeId(expected));
        let writes = link.writes().await;
        link.failed(&writes, Error::not_leader(None, "write"));
        // Its connection stays; the test keeps it, too.
        std::mem::forget(link);
    }
    let mut three = cluster.link().await;
    let writes = three.writes().await;
    three.done(&writes);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_be_reached_is_passed_over() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    cluster.refuse(&[1]);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut two = cluster.link().await;
    assert_eq!(two.node, NodeId(2));
    let writes = two.writes().await;
    two.done(&writes);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer_the_dial_is_passed_over() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    cluster.silence(&[1]);
    let start = Instant::now();
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut two = cluster.link().await;
    assert_eq!(two.node, NodeId(2));
    let writes = two.writes().await;
    // It does not know yet that the leader is gone. It is not believed, and asked again.
    two.failed(&writes, Error::not_leader(Some(NodeId(1)), "write"));
    let mut three = cluster.link().await;
    assert_eq!(three.node, NodeId(3));
    let writes = three.writes().await;
    three.done(&writes);
    put.await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_is_left_for_another() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let start = Instant::now();
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut one = cluster.link().await;
    let first = one.writes().await;
    cluster.silence(&[1]);
    let mut two = cluster.link().await;
    assert_eq!(two.node, NodeId(2));
    let second = two.writes().await;
    assert_eq!(
        (second.client, second.first_seq),
        (first.client, first.first_seq)
    );
    assert!(start.elapsed() < Duration::from_millis(650));
    two.done(&second);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_slow_to_answer_and_lives_is_waited_for() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut one = cluster.link().await;
    let writes = one.writes().await;
    tokio::time::advance(Duration::from_secs(4)).await;
    one.done(&writes);
    put.await.unwrap().unwrap();
    assert!(cluster.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn overload_is_waited_out_with_growing_pauses() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let start = Instant::now();
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    for _ in 0..5 {
        let writes = link.writes().await;
        link.failed(&writes, error(ErrorKind::Overloaded));
    }
    let writes = link.writes().await;
    // 2 + 4 + 8 + 16 + 32 ms, each between half and the whole.
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_millis(31) && waited < Duration::from_millis(70),
        "{waited:?}"
    );
    link.done(&writes);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_reported_with_its_circumstances() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.compare_and_set("k", None, Some(b"v")).await });
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    link.failed(&writes, error(ErrorKind::Conflict));
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict);
    let names: Vec<_> = error
        .context()
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for name in ["group", "attempts", "node", "keyspace"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_read_follows_redirects_and_a_local_read_stays() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let local = keyspace.level(ReadLevel::Local).at(NodeId(2));
    let read = spawn(async move { local.get("k").await });
    let mut two = cluster.link().await;
    assert_eq!(two.node, NodeId(2));
    let Parcel::Reads(reads) = two.parcel().await else {
        panic!("no reads")
    };
    assert_eq!(reads.level, ReadLevel::Local);
    let (position, answer) = (Position::Entry(ack(9).position), Answer::Value(None));
    two.answer(ReplyItem::Answered {
        request: reads.first_request,
        position,
        answer,
    });
    let (position, value) = read.await.unwrap().unwrap();
    assert_eq!((position, value), (Position::Entry(ack(9).position), None));

    let read = spawn(async move { keyspace.get("k").await });
    // Node 2 is connected, node 1 is the first replica.
    let mut link = tokio::select! { link = cluster.link() => link, parcel = two.parcel() => {
        let Parcel::Reads(reads) = parcel else { panic!("no reads") };
        let error = Box::new(Error::not_leader(Some(NodeId(3)), "read"));
        two.answer(ReplyItem::Failed { first: reads.first_request, count: 1, error });
        cluster.link().await
    }};
    if link.node == NodeId(1) {
        let Parcel::Reads(reads) = link.parcel().await else {
            panic!("no reads")
        };
        let error = Box::new(Error::not_leader(Some(NodeId(3)), "read"));
        link.answer(ReplyItem::Failed {
            first: reads.first_request,
            count: 1,
            error,
        });
        link = cluster.link().await;
    }
    assert_eq!(link.node, NodeId(3));
    let Parcel::Reads(reads) = link.parcel().await else {
        panic!("no reads")
    };
    let (position, answer) = (
        Position::Entry(ack(9).position),
        Answer::Value(Some("v".into())),
    );
    link.answer(ReplyItem::Answered {
        request: reads.first_request,
        position,
        answer,
    });
    assert_eq!(read.await.unwrap().unwrap().1.as_deref(), Some(&b"v"[..]));
}
