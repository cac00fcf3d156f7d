//! Writes whose fate is not known.

use std::time::Duration;

use repertoire_core::{Error, ErrorKind, NodeId, WriteOutcome};
use tokio::spawn;
use tokio::time::Instant;

use super::fake::{Cluster, error};

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn after_a_break_everything_unanswered_is_sent_again_under_the_same_numbers() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let (pipeline, mut completions) = keyspace.pipeline();
    pipeline
        .submit(vec![super::fake::body(10); 6])
        .await
        .unwrap();
    let mut link = cluster.link().await;
    let first = link.writes().await;
    assert_eq!(first.bodies.len(), 6);
    // The second and third are answered, then the connection breaks.
    link.run(first.first_request + 1, 2, 2);
    let mut batch = Vec::new();
    completions.next(&mut batch).await;
    drop(link);
    let mut link = cluster.link().await;
    let head = link.writes().await;
    let tail = link.writes().await;
    assert_eq!((head.first_seq, head.bodies.len()), (1, 1));
    assert_eq!((tail.first_seq, tail.bodies.len()), (4, 3));
    assert_eq!((head.client, head.first_request), (first.client, 1));
    assert_eq!(tail.acked_upto, 0);
    link.done(&head);
    link.done(&tail);
    let mut ended: u64 = batch.drain(..).map(|c| c.count()).sum();
    while ended < 6 {
        completions.next(&mut batch).await;
        ended += batch.drain(..).map(|c| c.count()).sum::<u64>();
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_write_that_was_sent_is_unknown() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let start = Instant::now();
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    let _writes = link.writes().await;
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(
        (error.kind(), error.outcome()),
        (&ErrorKind::Timeout, WriteOutcome::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_write_that_was_never_sent_is_not_applied() {
    let (keyspace, cluster) = Cluster::start(DEADLINE);
    cluster.refuse(&[1, 2, 3]);
    let error = keyspace.put("k", "v").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (&ErrorKind::Timeout, WriteOutcome::NotApplied)
    );
    let says_why = |(name, _): &(String, String)| name == "last_failure";
    assert!(error.context().iter().any(says_why), "{error}");
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_write_that_was_only_refused_is_not_applied() {
    let (keyspace, mut cluster) = Cluster::start(Duration::from_millis(20));
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    let answering = spawn(async move {
        loop {
            let writes = link.writes().await;
            link.failed(&writes, error(ErrorKind::Overloaded));
        }
    });
    let error = put.await.unwrap().unwrap_err();
    answering.abort();
    assert_eq!(
        (error.kind(), error.outcome()),
        (&ErrorKind::Timeout, WriteOutcome::NotApplied)
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_break_does_not_undo_the_doubt() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    let _writes = link.writes().await;
    drop(link);
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    link.failed(&writes, error(ErrorKind::Conflict));
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (&ErrorKind::Conflict, WriteOutcome::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_answer_is_asked_about_again() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut one = cluster.link().await;
    let first = one.writes().await;
    let deposed = Error::not_leader(Some(NodeId(2)), "write");
    one.failed(&first, deposed.with_outcome(WriteOutcome::Unknown));
    let mut two = cluster.link().await;
    let second = two.writes().await;
    assert_eq!(
        (second.client, second.first_seq),
        (first.client, first.first_seq)
    );
    two.done(&second);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_broken_connection_are_nobodys() {
    let (keyspace, mut cluster) = Cluster::start(Duration::from_millis(100));
    let first = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut link = cluster.link().await;
    let late = link.writes().await;
    first.await.unwrap().unwrap_err();
    let second = spawn(async move { keyspace.put("k", "w").await });
    let writes = link.writes().await;
    // The one that was given up is settled for good: the nodes may forget it.
    assert_eq!((writes.first_seq, writes.acked_upto), (2, 1));
    link.done(&late);
    link.run(writes.first_request, 1, 77);
    let written = second.await.unwrap().unwrap();
    assert_eq!(written.ack, super::fake::ack(77));
}
