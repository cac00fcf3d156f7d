//! Third-party conflict handlers that sleep and panic: what each harms is its own keyspace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where its expectation does"
)]

#[path = "support/conflicted.rs"]
mod conflicted;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::BytesMut;
use repertoire::core::{
    Acks, ClientId, Conflict, Descriptor, Error, GroupId, KeyspaceId, Mono, NodeId, Operation,
    Outcome, PluginRef, RequestId, Resolution, ResolveError, Resolver,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

/// Sleeps until somebody lets it go, and says when it begins.
struct Sleeps {
    begun: Sender<()>,
    awake: parking_lot::Mutex<Receiver<()>>,
}

impl Resolver for Sleeps {
    fn name(&self) -> &str {
        "sleeps"
    }

    fn is_pure(&self) -> bool {
        false
    }

    fn resolve(&self, _: &Conflict, out: &mut BytesMut) -> Result<Resolution, ResolveError> {
        self.begun.send(()).unwrap();
        self.awake.lock().recv().unwrap();
        out.extend_from_slice(b"slept");
        Ok(Resolution::One)
    }
}

/// Panics, always.
struct Panics;

impl Resolver for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    fn is_pure(&self) -> bool {
        false
    }

    fn resolve(&self, conflict: &Conflict, _: &mut BytesMut) -> Result<Resolution, ResolveError> {
        panic!("no rule for {} siblings", conflict.siblings.len())
    }
}

/// Joins the siblings.
struct Joins;

impl Resolver for Joins {
    fn name(&self) -> &str {
        "joins"
    }

    fn is_pure(&self) -> bool {
        false
    }

    fn resolve(&self, conflict: &Conflict, out: &mut BytesMut) -> Result<Resolution, ResolveError> {
        for sibling in &conflict.siblings {
            out.extend_from_slice(sibling);
        }
        Ok(Resolution::One)
    }
}

fn keyspace(id: u32, resolver: &str) -> Descriptor {
    let mut keyspace =
        Descriptor::single_shard(KeyspaceId(id), resolver, "conflicted", &[NodeId(1)]);
    keyspace.options.acks = Acks::Async;
    keyspace.resolver = Some(PluginRef::named(resolver));
    keyspace
}

fn put(keyspace: u32, seq: u64) -> EmbeddedWrite {
    EmbeddedWrite {
        group: GroupId::new(keyspace, 0),
        id: RequestId {
            client: ClientId::new(clock::now().wall, keyspace.into()),
            seq,
            acked_upto: 0,
        },
        acks: None,
        deadline: Mono::NEVER,
        body: Operation::Put {
            key: b"key",
            value: b"value",
            expires_at: None,
        }
        .encode(),
    }
}

async fn outcome(session: &EmbeddedSession) -> Outcome {
    let replies = tokio::time::timeout(Duration::from_secs(30), session.replies()).await;
    replies.expect("a reply in time").remove(0).outcome
}

async fn cluster(sleeps: Sleeps) -> Result<LocalCluster, Error> {
    let mut registry = repertoire::registry();
    registry.protocol::<conflicted::Conflicted>();
    registry
        .resolver(Arc::new(sleeps))
        .resolver(Arc::new(Panics))
        .resolver(Arc::new(Joins));
    let mut options = LocalOptions::new("test");
    options.nodes = 1;
    options.registry = Arc::new(registry);
    let keyspaces = vec![
        keyspace(1, "sleeps"),
        keyspace(2, "panics"),
        keyspace(3, "joins"),
    ];
    let cluster = LocalCluster::start(options, keyspaces).await?;
    cluster.ready(Duration::from_secs(30)).await?;
    Ok(cluster)
}

#[tokio::test]
async fn a_handler_that_sleeps_or_panics_harms_its_own_keyspace_only() {
    let (begun, has_begun) = channel();
    let (wake, awake) = channel();
    let awake = parking_lot::Mutex::new(awake);
    let cluster = cluster(Sleeps { begun, awake }).await.unwrap();
    let handle = cluster.node(NodeId(1)).unwrap().handle();
    let [sleeping, panicking, joining] = [handle.session(), handle.session(), handle.session()];

    sleeping.write(vec![put(1, 1)]).unwrap();
    has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
    for seq in 1..=3 {
        panicking.write(vec![put(2, seq)]).unwrap();
        let Outcome::Failed(error) = outcome(&panicking).await else {
            panic!("a handler that panics resolves nothing");
        };
        assert!(error.to_string().contains("resolve"), "{error}");
        joining.write(vec![put(3, seq)]).unwrap();
        let Outcome::Written { ack, .. } = outcome(&joining).await else {
            panic!("a good handler is not held up");
        };
        assert_eq!(usize::from(ack.copies), b"leftright".len());
    }
    wake.send(()).unwrap();
    let Outcome::Written { ack, .. } = outcome(&sleeping).await else {
        panic!("the sleeper has answered");
    };
    assert_eq!(usize::from(ack.copies), b"slept".len());
    let status = handle.status().await.unwrap();
    let groups = status["groups"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["poisoned"].is_null()));
    drop([sleeping, panicking, joining]);
    cluster.stop().await.unwrap();
}
