//! A follower that is away while the others work: what it costs them is bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use repertoire::core::{Acks, ClientId, GroupId, Mono, NodeId, Operation, Outcome, RequestId};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

const DATA: GroupId = GroupId::new(1, 0);
const MIB: u64 = 1024 * 1024;

const VALUE: usize = 4096;
const KEYS: u64 = 1000;
const BATCH: u64 = 64;

/// What bounds the log of a node.
#[derive(Clone, Copy)]
struct Bounds {
    segment: u64,
    retention: u64,
    checkpoint: u64,
    /// Requests under way at any time. They may become one burst, which is to fit a segment.
    window: u64,
}

async fn start(bounds: Bounds) -> LocalCluster {
    let mut data = support::keyspace(1, "data");
    data.options.log_retention_bytes = bounds.retention;
    data.options.checkpoint_bytes = bounds.checkpoint;
    let mut options = LocalOptions::new("test");
    options.log.segment_bytes = u32::try_from(bounds.segment).unwrap();
    options.log.record_bytes_max = options.log.segment_bytes / 2;
    support::start(options, vec![data]).await
}

/// A client that always has a window of writes under way.
struct Load {
    session: EmbeddedSession,
    client: ClientId,
    next: u64,
    value: Vec<u8>,
    window: u64,
    /// The most that each node's log has taken since somebody reset it.
    most: BTreeMap<u64, u64>,
}

impl Load {
    fn open(cluster: &LocalCluster, window: u64) -> Self {
        Self {
            session: cluster.node(NodeId(1)).unwrap().handle().session(),
            client: ClientId::new(clock::now().wall, 7),
            next: 1,
            value: vec![b'v'; VALUE],
            window,
            most: BTreeMap::new(),
        }
    }

    fn submit(&mut self, answered: u64) {
        let put = |seq: u64| EmbeddedWrite {
            group: DATA,
            id: RequestId {
                client: self.client,
                seq,
                acked_upto: answered,
            },
            acks: Some(Acks::SemiSync(1)),
            deadline: Mono::NEVER,
            body: Operation::Put {
                key: format!("key-{}", seq % KEYS).as_bytes(),
                value: &self.value,
                expires_at: None,
            }
            .encode(),
        };
        let batch = (self.next..self.next + BATCH).map(put).collect();
        self.session.write(batch).unwrap();
        self.next += BATCH;
    }

    /// Writes so many bytes and waits for all of it. Looks at the logs of `nodes` all along.
    async fn write(&mut self, cluster: &LocalCluster, nodes: &[u64], bytes: u64) {
        let first = self.next;
        let end = first + (bytes / VALUE as u64).next_multiple_of(BATCH);
        let mut answered = first - 1;
        while answered + 1 < end {
            while self.next < end && self.next <= answered + self.window {
                // Replies arrive in the order of the writes.
                self.submit(answered);
            }
            let replies = tokio::time::timeout(Duration::from_secs(60), self.session.replies());
            for reply in replies.await.expect("replies in time") {
                let is_written = matches!(reply.outcome, Outcome::Written { .. });
                assert!(is_written, "{:?}", reply.outcome);
                answered += 1;
            }
            for node in nodes {
                let most = self.most.entry(*node).or_default();
                *most = log_bytes(cluster, *node).max(*most);
            }
        }
    }
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
    // A segment may be renamed between the listing and the look at it.
    let sizes = files.map(|file| file.unwrap().metadata().map_or(0, |found| found.len()));
    sizes.sum()
}

async fn costs_of_a_stopped_follower(bounds: Bounds) {
    let mut cluster = start(bounds).await;
    let mut load = Load::open(&cluster, bounds.window);
    // Warm: caches and pools have their size.
    load.write(&cluster, &[], 4 * bounds.retention).await;
    cluster.stop_node(NodeId(3)).await.unwrap();
    let before = resident();
    // Many times what may be kept.
    load.write(&cluster, &[1, 2], 10 * bounds.retention).await;

    // Two nodes run in this process: together they stay below what one may take.
    let grown = resident().saturating_sub(before);
    assert!(grown <= 64 * MIB, "memory grew by {} MiB", grown / MIB);
    let most = bounds.retention + 2 * bounds.segment;
    for (node, bytes) in &load.most {
        assert!(
            *bytes <= most,
            "the log of node {node} took {} KiB of {}",
            bytes / 1024,
            most / 1024
        );
    }
    cluster.start_node(NodeId(3)).await.unwrap();
    support::converged(&cluster, DATA).await;
    drop(load);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_follower_costs_bounded_memory_and_disk() {
    costs_of_a_stopped_follower(Bounds {
        segment: 4 * MIB,
        retention: 16 * MIB,
        checkpoint: 16 * MIB,
        window: 960,
    })
    .await;
}

#[tokio::test]
async fn a_stopped_follower_costs_little_where_little_is_kept() {
    costs_of_a_stopped_follower(Bounds {
        segment: MIB,
        retention: 8 * MIB,
        checkpoint: 512 * MIB,
        window: 192,
    })
    .await;
}
