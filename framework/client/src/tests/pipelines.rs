//! Bursts, windows and batches of outcomes.

use std::time::Duration;

use repertoire_core::{Acks, Answer, Position, ReadQuery};
use repertoire_wire::client::ReplyItem;
use tokio::spawn;

use super::fake::{Cluster, ack, body};
use crate::completion::Completion;
use crate::link::Parcel;

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn what_is_submitted_between_two_wake_ups_leaves_as_one_parcel() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let (pipeline, mut completions) = keyspace.pipeline();
    for _ in 0..10 {
        pipeline.submit(vec![body(20); 100]).await.unwrap();
    }
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    assert_eq!(writes.bodies.len(), 1000);
    link.done(&writes);
    let mut batch = Vec::new();
    completions.next(&mut batch).await;
    assert_eq!(
        batch,
        [Completion::Written {
            first: 1,
            count: 1000,
            ack: ack(1)
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn writes_with_different_acks_travel_apart_but_in_order() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let (pipeline, _completions) = keyspace.pipeline();
    let (sync, _others) = keyspace.acks(Acks::Sync).pipeline();
    pipeline.submit(vec![body(1); 3]).await.unwrap();
    sync.submit(vec![body(1); 2]).await.unwrap();
    let mut link = cluster.link().await;
    let (first, second) = (link.writes().await, link.writes().await);
    assert_eq!(
        (first.acks, first.first_seq, first.bodies.len()),
        (None, 1, 3)
    );
    assert_eq!((second.acks, second.first_seq), (Some(Acks::Sync), 4));
    assert_eq!(second.first_request, first.first_request + 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_is_under_way() {
    let (keyspace, mut cluster) = Cluster::with_budgets(DEADLINE, 1 << 20, 1000);
    let (pipeline, mut completions) = keyspace.pipeline();
    pipeline.submit(vec![body(36); 25]).await.unwrap();
    let mut link = cluster.link().await;
    let mut batch = Vec::new();
    for expected in [10, 10, 5] {
        let writes = link.writes().await;
        assert_eq!(writes.bodies.len(), expected);
        link.done(&writes);
        completions.next(&mut batch).await;
    }
}

#[tokio::test(start_paused = true)]
async fn submitters_wait_while_the_buffer_is_full() {
    let (keyspace, mut cluster) = Cluster::with_budgets(DEADLINE, 1000, 1000);
    let (pipeline, mut completions) = keyspace.pipeline();
    let submitting = spawn(async move { pipeline.submit(vec![body(36); 15]).await });
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    assert_eq!(writes.bodies.len(), 10);
    assert!(!submitting.is_finished());
    link.done(&writes);
    assert_eq!(submitting.await.unwrap().unwrap(), 1);
    let writes = link.writes().await;
    assert_eq!(writes.bodies.len(), 5);
    link.done(&writes);
    let mut batch = Vec::new();
    while batch.iter().map(Completion::count).sum::<u64>() < 15 {
        completions.next(&mut batch).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_above_the_budgets_passes_alone() {
    let (keyspace, mut cluster) = Cluster::with_budgets(DEADLINE, 1000, 1000);
    let (pipeline, mut completions) = keyspace.pipeline();
    let submitting = spawn(async move { pipeline.submit(vec![body(5000); 2]).await });
    let mut link = cluster.link().await;
    let mut batch = Vec::new();
    for _ in 0..2 {
        let writes = link.writes().await;
        assert_eq!(writes.bodies.len(), 1);
        link.done(&writes);
        completions.next(&mut batch).await;
    }
    submitting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_does_not_reach_another_read() {
    let (keyspace, mut cluster) = Cluster::start(Duration::from_millis(50));
    let (pipeline, mut completions) = keyspace.pipeline();
    let get = |key: &'static str| vec![ReadQuery::Get(key.into())];
    pipeline.submit_reads(get("a")).await.unwrap();
    let mut link = cluster.link().await;
    let Parcel::Reads(first) = link.parcel().await else {
        panic!("no reads")
    };
    let mut batch = Vec::new();
    completions.next(&mut batch).await;
    assert!(matches!(batch[..], [Completion::Failed { first: 1, .. }]));
    pipeline.submit_reads(get("b")).await.unwrap();
    let Parcel::Reads(second) = link.parcel().await else {
        panic!("no reads")
    };
    for (request, value) in [
        (first.first_request, "of a"),
        (second.first_request, "of b"),
    ] {
        let position = Position::Entry(ack(1).position);
        let answer = Answer::Value(Some(value.into()));
        link.answer(ReplyItem::Answered {
            request,
            position,
            answer,
        });
    }
    batch.clear();
    completions.next(&mut batch).await;
    let [
        Completion::Answered {
            ticket: 2,
            answer: Answer::Value(Some(value)),
            ..
        },
    ] = &batch[..]
    else {
        panic!("{batch:?}");
    };
    assert_eq!(&value[..], b"of b");
}
