//! Writes a second through one pipeline, to one node of this process: directly, then over QUIC on
//! loopback.
//!
//! ```text
//! cargo run --release -p repertoire-client --example throughput -- [seconds] [in flight] [per submit]
//! ```

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use repertoire::core::{Acks, Descriptor, Durability, Error, KeyspaceId, NodeId, Operation};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Client, Completion, Keyspace};

/// Distinct keys; each write sets one of them to 100 bytes.
const KEYS: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let seconds = Duration::from_secs(args.next().unwrap_or(5));
    let in_flight = args.next().unwrap_or(4096);
    let per_submit = args.next().unwrap_or(256_u64);
    let mut options = LocalOptions::new("throughput");
    options.nodes = 1;
    let mut data = Descriptor::single_shard(KeyspaceId(1), "data", "standalone", &[NodeId(1)]);
    data.options.durability = Durability::Memory;
    data.options.acks = Acks::Async;
    let cluster = LocalCluster::start(options, vec![data]).await?;
    cluster.ready(Duration::from_secs(10)).await?;
    let node = cluster.node(NodeId(1))?.handle().clone();
    let embedded = Client::builder().node(node).build().await?;
    let address = cluster.addresses().iter().map(ToString::to_string).next();
    let remote = Client::builder()
        .address(address.unwrap_or_default())
        .tls(cluster.client_tls("throughput")?)
        .build()
        .await?;
    for (name, client) in [("embedded", &embedded), ("QUIC", &remote)] {
        let keyspace = client.keyspace("data").await?;
        let done = run(&keyspace, seconds, in_flight, per_submit).await?;
        let per_second = u128::from(done) * 1000 / seconds.as_millis().max(1);
        eprintln!("{name:>8}: {per_second} writes/s, {in_flight} in flight");
    }
    drop((embedded, remote));
    cluster.stop().await
}

/// Operations that are slices of one allocation: 16-byte keys, 100-byte values.
fn bodies() -> Vec<Bytes> {
    let mut all = BytesMut::new();
    let mut bodies = Vec::with_capacity(KEYS);
    for i in 0..KEYS {
        let key = format!("key-{i:012}");
        let put = Operation::Put {
            key: key.as_bytes(),
            value: &[7; 100],
            expires_at: None,
        };
        put.encode_into(&mut all);
        bodies.push(all.split().freeze());
    }
    bodies
}

async fn run(
    keyspace: &Keyspace,
    span: Duration,
    in_flight: u64,
    per_submit: u64,
) -> Result<u64, Error> {
    let (pipeline, mut completions) = keyspace.pipeline();
    let bodies = bodies();
    let count = usize::try_from(per_submit).unwrap_or(usize::MAX);
    let mut next = bodies.iter().cycle().cloned();
    let (mut under_way, mut done) = (0, 0);
    let mut batch = Vec::new();
    let end = Instant::now() + span;
    while under_way > 0 || Instant::now() < end {
        while Instant::now() < end && under_way + per_submit <= in_flight {
            pipeline.submit(next.by_ref().take(count).collect()).await?;
            under_way += per_submit;
        }
        completions.next(&mut batch).await;
        for completion in batch.drain(..) {
            under_way -= completion.count();
            match completion {
                Completion::Failed { error, .. } => return Err(*error),
                ended @ (Completion::Written { .. }
                | Completion::Returned { .. }
                | Completion::Answered { .. }) => done += ended.count(),
            }
        }
    }
    Ok(done)
}
