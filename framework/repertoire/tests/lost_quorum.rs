//! A leader without its followers takes writes that nobody can acknowledge. It does not take them for
//! ever, whatever its clients give up meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

use std::time::Duration;

use repertoire::core::limits::{ENTRY_BODY_MAX, UNACKED_BYTES_MAX};
use repertoire::core::{
    Acks, ClientId, Descriptor, Error, ErrorKind, GroupId, NodeId, Operation, Outcome, RequestId,
    WriteOutcome,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

const DATA: GroupId = GroupId::new(1, 0);
const VALUE: usize = 500 * 1024;

/// A client that waits a moment for each write.
struct Client {
    session: EmbeddedSession,
    id: ClientId,
    next: u64,
    value: Vec<u8>,
}

impl Client {
    fn of(cluster: &LocalCluster) -> Self {
        Self {
            session: cluster.node(NodeId(1)).unwrap().handle().session(),
            id: ClientId::new(clock::now().wall, 7),
            next: 1,
            value: vec![b'v'; VALUE],
        }
    }

    async fn put(&mut self, wait: Duration) -> Result<(), Error> {
        let write = EmbeddedWrite {
            group: DATA,
            id: RequestId {
                client: self.id,
                seq: self.next,
                acked_upto: 0,
            },
            acks: Some(Acks::SemiSync(1)),
            deadline: clock::now().mono.after(wait),
            body: Operation::Put {
                key: b"key",
                value: &self.value,
                expires_at: None,
            }
            .encode(),
        };
        self.next += 1;
        self.session.write(vec![write]).unwrap();
        let replies = tokio::time::timeout(Duration::from_secs(60), self.session.replies());
        match replies.await.expect("a reply").remove(0).outcome {
            Outcome::Written { .. } => Ok(()),
            Outcome::Failed(error) => Err(*error),
            other @ Outcome::Answered { .. } => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn writes_that_nobody_can_acknowledge_are_refused_before_they_fill_the_node() {
    let nodes = [1, 2, 3].map(NodeId);
    let data = Descriptor::single_shard(DATA.keyspace, "data", "single-leader", &nodes);
    let options = LocalOptions::new("test");
    let mut cluster = LocalCluster::start(options, vec![data]).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    for id in [2, 3] {
        cluster.stop_node(NodeId(id)).await.unwrap();
    }
    let mut client = Client::of(&cluster);
    let mut taken = 0;
    let refusal = loop {
        let error = client.put(Duration::from_millis(5)).await.unwrap_err();
        if *error.kind() != ErrorKind::Timeout {
            break error;
        }
        // It is in the leader's log, and may still happen.
        assert_eq!(error.outcome(), WriteOutcome::Unknown, "{error}");
        taken += VALUE;
        assert!(taken <= UNACKED_BYTES_MAX + ENTRY_BODY_MAX, "{taken}");
    };
    assert_eq!(*refusal.kind(), ErrorKind::Overloaded, "{refusal}");
    assert_eq!(refusal.outcome(), WriteOutcome::NotApplied, "{refusal}");
    assert!(refusal.to_string().contains("copies"), "{refusal}");

    cluster.start_node(NodeId(2)).await.unwrap();
    let resumed = async {
        while client.put(Duration::from_secs(5)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), resumed);
    in_time.await.expect("writes go on with a follower");
    cluster.stop().await.unwrap();
}
