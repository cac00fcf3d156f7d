//! A follower that is away while the others work: what it costs them is bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::time::Duration;

use repertoire::core::{
    Acks, ClientId, Descriptor, GroupId, KeyspaceId, Mono, NodeId, Operation, Outcome, RequestId,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

const DATA: GroupId = GroupId::new(1, 0);
const MIB: u64 = 1024 * 1024;
const SEGMENT: u64 = 4 * MIB;
const RETENTION: u64 = 16 * MIB;
const CHECKPOINT: u64 = 16 * MIB;

/// Written while the follower is away: many times what may be kept.
const AWAY: u64 = 160 * MIB;

const VALUE: usize = 4096;
const KEYS: u64 = 1000;
const BATCH: u64 = 256;

async fn start() -> LocalCluster {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let mut data = Descriptor::single_shard(KeyspaceId(1), "data", "single-leader", &nodes);
    data.options.log_retention_bytes = RETENTION;
    data.options.checkpoint_bytes = CHECKPOINT;
    let mut options = LocalOptions::new("test");
    options.log.segment_bytes = u32::try_from(SEGMENT).unwrap();
    let cluster = LocalCluster::start(options, vec![data]).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    cluster
}

/// Writes so many bytes, a batch at a time, and waits for each batch.
async fn write(session: &EmbeddedSession, client: ClientId, from: u64, bytes: u64) -> u64 {
    let value = vec![b'v'; VALUE];
    let mut seq = from;
    while (seq - from) * (VALUE as u64) < bytes {
        let put = |seq: u64| EmbeddedWrite {
            group: DATA,
            id: RequestId {
                client,
                seq,
                acked_upto: seq - seq % BATCH,
            },
            acks: Some(Acks::SemiSync(1)),
            deadline: Mono::NEVER,
            body: Operation::Put {
                key: format!("key-{}", seq % KEYS).as_bytes(),
                value: &value,
                expires_at: None,
            }
            .encode(),
        };
        session
            .write((seq..seq + BATCH).map(put).collect())
            .unwrap();
        seq += BATCH;
        let mut left = BATCH;
        while left > 0 {
            let replies = tokio::time::timeout(Duration::from_secs(60), session.replies()).await;
            for reply in replies.expect("replies in time") {
                let is_written = matches!(reply.outcome, Outcome::Written { .. });
                assert!(is_written, "{:?}", reply.outcome);
                left -= 1;
            }
        }
    }
    seq
}

/// Resident memory of this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn log_bytes(cluster: &LocalCluster, node: u64) -> u64 {
    let folder = cluster.data(NodeId(node)).join("log");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    sizes.sum()
}

#[tokio::test]
async fn a_stopped_follower_costs_bounded_memory_and_disk() {
    let mut cluster = start().await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    let client = ClientId::new(clock::now().wall, 7);
    // Warm: caches and pools have their size.
    let seq = write(&session, client, 1, 64 * MIB).await;
    cluster.stop_node(NodeId(3)).await.unwrap();
    let before = resident();
    write(&session, client, seq, AWAY).await;

    let grown = resident().saturating_sub(before);
    // Two nodes run in this process.
    assert!(grown <= 2 * 64 * MIB, "memory grew by {} MiB", grown / MIB);
    for node in 1..=2 {
        let bytes = log_bytes(&cluster, node);
        // What is kept for followers; what waits for a checkpoint, and what is written while that is
        // made; and segments: the one being written, two made ready, one recycled.
        let most = RETENTION + 2 * CHECKPOINT + 4 * SEGMENT;
        assert!(bytes <= most, "the log has {} MiB", bytes / MIB);
    }
    cluster.start_node(NodeId(3)).await.unwrap();
    support::converged(&cluster, DATA).await;
    drop(session);
    cluster.stop().await.unwrap();
}
