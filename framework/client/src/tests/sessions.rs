//! Client sessions that the nodes have forgotten.

use std::time::Duration;

use repertoire_core::{ErrorKind, WriteOutcome};
use tokio::spawn;

use super::fake::{Cluster, body, error};

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_renewed_for_writes_that_cannot_have_been_applied() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    let old = link.writes().await;
    link.failed(&old, error(ErrorKind::SessionExpired));
    let new = link.writes().await;
    assert_ne!(new.client, old.client);
    // Refused from its first write on: the nodes' clocks are ahead, so it claims a later time.
    assert!(new.client.created() > old.client.created());
    assert_eq!((new.first_seq, new.acked_upto), (1, 0));
    link.done(&new);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_reported_for_writes_in_doubt() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn(async move { keyspace.put("k", "v").await });
    let mut link = cluster.link().await;
    let _lost = link.writes().await;
    drop(link);
    let mut link = cluster.link().await;
    let again = link.writes().await;
    link.failed(&again, error(ErrorKind::SessionExpired));
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (&ErrorKind::SessionExpired, WriteOutcome::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_idle_for_long_is_not_used_again() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let mut clients = Vec::new();
    let put = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    clients.push(writes.client);
    link.done(&writes);
    put.await.unwrap().unwrap();
    tokio::time::advance(Duration::from_mins(50)).await;
    let put = spawn(async move { keyspace.put("k", "v").await });
    let writes = link.writes().await;
    assert_ne!(writes.client, clients[0]);
    link.done(&writes);
    put.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn numbers_never_run_further_ahead_than_the_nodes_remember() {
    let (keyspace, mut cluster) = Cluster::with_budgets(DEADLINE, 64 << 20, 64 << 20);
    let (pipeline, mut completions) = keyspace.pipeline();
    let mut link = None;
    let mut clients = std::collections::BTreeSet::new();
    // Writes that all fail: the nodes learn nothing of their numbers.
    for _ in 0..20 {
        pipeline.submit(vec![body(1); 4096]).await.unwrap();
        if link.is_none() {
            link = Some(cluster.link().await);
        }
        let link = link.as_mut().unwrap();
        let mut left = 4096;
        while left > 0 {
            let writes = link.writes().await;
            left -= writes.bodies.len();
            assert!(writes.first_seq + (writes.bodies.len() as u64) < 65_536);
            clients.insert(writes.client);
            link.failed(&writes, error(ErrorKind::Conflict));
        }
        let mut batch = Vec::new();
        let mut ended = 0;
        while ended < 4096 {
            completions.next(&mut batch).await;
            ended += batch.drain(..).map(|c| c.count()).sum::<u64>();
        }
    }
    assert!(clients.len() >= 2);
}
