//! An engine that stands still while the log goes on: memory stays bounded, clients are told, and
//! it recovers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

#[path = "support/hooked.rs"]
mod hooked;
mod support;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use repertoire::core::limits::{APPLY_BACKLOG_MAX, DATA_FRAME_MAX};
use repertoire::core::{
    Acks, ClientId, ErrorKind, GroupId, Mono, NodeId, Operation, Outcome, PluginRef, RequestId,
    StorageEngine, WriteBatch,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

use hooked::Hooked;

const DATA: GroupId = GroupId::new(1, 0);

/// Bytes of a value.
const VALUE: usize = 16 * 1024;

/// Holds engines up while it is shut.
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn shut() -> Arc<Self> {
        let (is_shut, opened) = (Mutex::new(true), Condvar::new());
        Arc::new(Self { is_shut, opened })
    }

    fn open(&self) {
        *self.is_shut.lock() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_shut = self.is_shut.lock();
        self.opened.wait_while(&mut is_shut, |is_shut| *is_shut);
    }
}

async fn cluster(gate: &Arc<Gate>) -> LocalCluster {
    let mut registry = repertoire::registry();
    let memory = Arc::clone(registry.get_engine("memory").unwrap());
    let gate = Arc::clone(gate);
    registry.engine(
        "slow",
        Arc::new(move |spec| {
            let (inner, gate) = (memory(spec)?, Arc::clone(&gate));
            let before_apply = Box::new(move |batch: &WriteBatch<'_>| {
                if !batch.changes.is_empty() {
                    gate.pass();
                }
            });
            Ok(Box::new(Hooked {
                inner,
                inline: false,
                before_apply,
            }) as Box<dyn StorageEngine>)
        }),
    );
    let mut data = support::keyspace(1, "data");
    data.options.acks = Acks::Async;
    data.engine = PluginRef::named("slow");
    let mut options = LocalOptions::new("test");
    options.registry = Arc::new(registry);
    support::start(options, vec![data]).await
}

fn put(client: ClientId, seq: u64) -> EmbeddedWrite {
    EmbeddedWrite {
        group: DATA,
        id: RequestId {
            client,
            seq,
            acked_upto: seq - 1,
        },
        acks: None,
        deadline: Mono::NEVER,
        body: Operation::Put {
            key: format!("key-{}", seq % 512).as_bytes(),
            value: &vec![b'v'; VALUE],
            expires_at: None,
        }
        .encode(),
    }
}

/// One write after the other, until one does not go well.
async fn write_until_refused(session: &EmbeddedSession, client: ClientId) -> (u64, ErrorKind) {
    for seq in 1.. {
        session.write(vec![put(client, seq)]).unwrap();
        match outcome(session).await {
            Outcome::Written { .. } => {}
            Outcome::Failed(error) => return (seq - 1, error.kind().clone()),
            Outcome::Answered { .. } => panic!("a write is not answered"),
        }
    }
    unreachable!("the loop has no end")
}

async fn outcome(session: &EmbeddedSession) -> Outcome {
    let replies = tokio::time::timeout(Duration::from_secs(60), session.replies()).await;
    replies.expect("a reply in time").remove(0).outcome
}

async fn backlog(cluster: &LocalCluster, node: u64) -> u64 {
    let status = cluster.node(NodeId(node)).unwrap().handle().status().await;
    let status = status.unwrap();
    let groups = status["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["keyspace_id"] == 1);
    group.unwrap()["apply_backlog_bytes"].as_u64().unwrap()
}

#[tokio::test]
async fn a_slow_engine_bounds_what_it_owes_and_recovers() {
    let gate = Gate::shut();
    let cluster = cluster(&gate).await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    let client = ClientId::new(clock::now().wall, 7);

    let (written, refusal) = write_until_refused(&session, client).await;
    assert_eq!(refusal, ErrorKind::Overloaded);
    assert!(
        usize::try_from(written).unwrap() * VALUE > APPLY_BACKLOG_MAX / 2,
        "{written}"
    );
    for node in 1..=3 {
        let backlog = usize::try_from(backlog(&cluster, node).await).unwrap();
        assert!(backlog <= APPLY_BACKLOG_MAX + DATA_FRAME_MAX, "{backlog}");
    }

    gate.open();
    support::converged(&cluster, DATA).await;
    session.write(vec![put(client, written + 1)]).unwrap();
    let again = outcome(&session).await;
    assert!(matches!(again, Outcome::Written { .. }), "{again:?}");
    support::converged(&cluster, DATA).await;
    assert_eq!(backlog(&cluster, 1).await, 0);
    drop(session);
    cluster.stop().await.unwrap();
}
