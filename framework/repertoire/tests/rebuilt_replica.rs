//! A plug-in panics: its replica is built anew in place, or given up, and nobody else notices.
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
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use repertoire::core::{
    Acks, Answer, ClientId, ErrorKind, GroupId, Mono, NodeId, Operation, Outcome, PluginRef,
    ReadLevel, ReadQuery, RequestId, StorageEngine, WriteBatch,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

use hooked::Hooked;

const BRITTLE: GroupId = GroupId::new(1, 0);
const OTHER: GroupId = GroupId::new(2, 0);
const BOOM: &[u8] = b"boom";

/// Three nodes; the engine of the first keyspace is brittle on one of them.
async fn cluster(on: NodeId, inline: bool, fuse: &Arc<AtomicI64>) -> LocalCluster {
    let mut registry = repertoire::registry();
    let memory = Arc::clone(registry.get_engine("memory").unwrap());
    let (folder, fuse) = (format!("node-{}", on.0), Arc::clone(fuse));
    registry.engine(
        "brittle",
        Arc::new(move |spec| {
            let inner = memory(spec)?;
            if !spec.folder.iter().any(|part| *part == *folder) {
                return Ok(inner);
            }
            let fuse = Arc::clone(&fuse);
            // It panics at a key while the fuse lasts.
            let before_apply = Box::new(move |batch: &WriteBatch<'_>| {
                let is_boom = batch
                    .changes
                    .iter()
                    .any(|change| change.key.as_ref() == BOOM);
                if is_boom && fuse.fetch_sub(1, Ordering::SeqCst) > 0 {
                    panic!("this engine does not like that key");
                }
            });
            Ok(Box::new(Hooked {
                inner,
                inline,
                before_apply,
            }) as Box<dyn StorageEngine>)
        }),
    );
    let mut brittle = support::keyspace(1, "brittle");
    brittle.engine = PluginRef::named("brittle");
    // Snapshots are made on the way.
    brittle.options.checkpoint_bytes = 64 * 1024;
    let mut options = LocalOptions::new("test");
    options.registry = Arc::new(registry);
    support::start(options, vec![brittle, support::keyspace(2, "other")]).await
}

/// One client: it numbers its writes, and repeats those whose fate it does not know.
struct Client {
    session: EmbeddedSession,
    group: GroupId,
    id: ClientId,
    seq: u64,
}

impl Client {
    fn open(cluster: &LocalCluster, group: GroupId) -> Self {
        Self {
            session: cluster.node(NodeId(1)).unwrap().handle().session(),
            group,
            id: ClientId::new(clock::now().wall, group.keyspace.0.into()),
            seq: 0,
        }
    }

    async fn attempt(&self, key: &[u8]) -> Outcome {
        let write = EmbeddedWrite {
            group: self.group,
            id: RequestId {
                client: self.id,
                seq: self.seq,
                acked_upto: self.seq - 1,
            },
            acks: Some(Acks::Majority),
            deadline: Mono::NEVER,
            body: Operation::Put {
                key,
                value: &[b'v'; 1024],
                expires_at: None,
            }
            .encode(),
        };
        self.session.write(vec![write]).unwrap();
        one(&self.session).await
    }

    async fn put(&mut self, key: &[u8]) {
        self.seq += 1;
        let outcome = self.attempt(key).await;
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }

    async fn put_all(&mut self, keys: std::ops::Range<u64>) {
        for key in keys {
            self.put(format!("key-{key}").as_bytes()).await;
        }
    }

    /// Writes `key` under one request id until it is written; returns the failures on the way.
    async fn put_stubbornly(&mut self, key: &[u8]) -> Vec<ErrorKind> {
        self.seq += 1;
        let mut failures = Vec::new();
        let written = async {
            loop {
                match self.attempt(key).await {
                    Outcome::Written { .. } => return,
                    Outcome::Failed(error) => failures.push(error.kind().clone()),
                    Outcome::Answered { .. } => panic!("a write is not answered"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let written = tokio::time::timeout(Duration::from_secs(30), written).await;
        written.expect("the keyspace works again");
        failures
    }
}

async fn one(session: &EmbeddedSession) -> Outcome {
    let replies = tokio::time::timeout(Duration::from_secs(30), session.replies());
    replies.await.expect("a reply in time").remove(0).outcome
}

async fn status(cluster: &LocalCluster, node: NodeId) -> serde_json::Value {
    cluster.node(node).unwrap().handle().status().await.unwrap()
}

fn group(status: &serde_json::Value, group: GroupId) -> &serde_json::Value {
    let groups = status["groups"].as_array().unwrap();
    let found = groups
        .iter()
        .find(|value| value["keyspace_id"] == group.keyspace.0);
    found.unwrap()
}

/// Waits until the status of a node says so.
async fn until(cluster: &LocalCluster, node: NodeId, what: impl Fn(&serde_json::Value) -> bool) {
    let said = async {
        while !what(&status(cluster, node).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(30), said).await;
    assert!(said.is_ok(), "{:#}", status(cluster, node).await);
}

async fn holds(cluster: &LocalCluster, node: NodeId, keys: std::ops::Range<u64>) {
    let session = cluster.node(node).unwrap().handle().session();
    for key in keys {
        let query = ReadQuery::Get(format!("key-{key}").into_bytes().into());
        session
            .read(BRITTLE, ReadLevel::Local, Mono::NEVER, query)
            .unwrap();
        let outcome = one(&session).await;
        let Outcome::Answered {
            answer: Answer::Value(value),
            ..
        } = &outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(value.is_some(), "key-{key} was acknowledged and is gone");
    }
}

async fn panics_once(on: NodeId, inline: bool) {
    let fuse = Arc::new(AtomicI64::new(1));
    let cluster = cluster(on, inline, &fuse).await;
    let mut brittle = Client::open(&cluster, BRITTLE);
    let mut other = Client::open(&cluster, OTHER);
    brittle.put_all(0..200).await;
    // The neighbour works all along, and expects every write to go well.
    let neighbour = other.put_all(0..200);
    let (failures, ()) = tokio::join!(brittle.put_stubbornly(BOOM), neighbour);
    until(&cluster, on, |status| {
        status["counters"]["replica-rebuilt"] == 1
    })
    .await;
    // An engine on the leader's own thread takes the request down with it.
    let is_told = on == NodeId(1) && inline;
    assert_eq!(!failures.is_empty(), is_told, "{failures:?}");
    brittle.put_all(200..250).await;
    support::converged(&cluster, BRITTLE).await;
    support::converged(&cluster, OTHER).await;
    holds(&cluster, on, 0..250).await;
    let status = status(&cluster, on).await;
    assert_eq!(group(&status, BRITTLE)["poisoned"], serde_json::Value::Null);
    drop((brittle, other));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_that_panicked_once_leads_again() {
    panics_once(NodeId(1), true).await;
}

#[tokio::test]
async fn a_follower_that_panicked_once_follows_again() {
    panics_once(NodeId(2), true).await;
}

#[tokio::test]
async fn an_engine_that_panicked_on_its_own_thread_is_replaced() {
    panics_once(NodeId(1), false).await;
}

#[tokio::test]
async fn a_replica_that_goes_on_panicking_is_given_up_until_it_is_released() {
    let fuse = Arc::new(AtomicI64::new(i64::MAX));
    let cluster = cluster(NodeId(1), true, &fuse).await;
    let mut brittle = Client::open(&cluster, BRITTLE);
    let mut other = Client::open(&cluster, OTHER);
    brittle.put_all(0..50).await;
    brittle.seq += 1;
    let outcome = brittle.attempt(BOOM).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    until(&cluster, NodeId(1), |status| {
        status["counters"]["replica-given-up"] == 1
    })
    .await;
    let given_up = status(&cluster, NodeId(1)).await;
    let poisoned = group(&given_up, BRITTLE)["poisoned"].as_str().unwrap();
    assert!(poisoned.contains("does not like that key") && poisoned.contains("rebuilds"));
    let outcome = brittle.attempt(BOOM).await;
    let is_poisoned = |error: &repertoire::core::Error| *error.kind() == ErrorKind::Poisoned;
    assert!(
        matches!(&outcome, Outcome::Failed(error) if is_poisoned(error)),
        "{outcome:?}"
    );
    other.put_all(0..50).await;
    support::converged(&cluster, OTHER).await;

    fuse.store(0, Ordering::SeqCst);
    let node = cluster.node(NodeId(1)).unwrap().handle();
    node.release(BRITTLE).await.unwrap();
    brittle.seq -= 1;
    brittle.put_stubbornly(BOOM).await;
    brittle.put_all(50..60).await;
    support::converged(&cluster, BRITTLE).await;
    holds(&cluster, NodeId(1), 0..60).await;
    drop((brittle, other));
    cluster.stop().await.unwrap();
}
