//! A replicated key-value store: three nodes, one keyspace, a follower that is away for a while.

use repertoire::LocalCluster;
use repertoire::core::{Error, Guard, NodeId, Operation, Position, ReadLevel};
use repertoire_client::Client;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Real QUIC with mutual TLS on loopback, real logs in a temporary folder.
    let mut cluster = LocalCluster::replicated("quickstart", &["stock"]).await?;
    let client = Client::builder()
        .address(cluster.address(NodeId(1))?)
        .tls(cluster.client_tls("shop")?)
        .build()
        .await?;
    let stock = client.keyspace("stock").await?;

    let written = stock.put("apples", "3").await?;
    eprintln!("apples=3 is on {} nodes", written.ack.copies);
    let (_, apples) = stock.get("apples").await?;
    assert_eq!(apples.as_deref(), Some(&b"3"[..]));

    // Node 3 misses a transaction: sell one apple if there are three, and note the sale.
    cluster.stop_node(NodeId(3)).await?;
    let put = |key, value| Operation::Put {
        key,
        value,
        expires_at: None,
    };
    let three = Guard {
        key: b"apples",
        expected: Some(b"3"),
    };
    let sale = vec![put(b"apples", b"2"), put(b"sold", b"1")];
    let written = stock.transaction(vec![three], sale, vec![]).await?;
    cluster.start_node(NodeId(3)).await?;

    // A session read waits until the node has seen what this session wrote.
    let seen = ReadLevel::Session(Position::Entry(written.ack.position));
    for node in cluster.ids() {
        let (_, apples) = stock.level(seen.clone()).at(node).get("apples").await?;
        let apples = String::from_utf8_lossy(apples.as_deref().unwrap_or(b"nothing")).into_owned();
        eprintln!("{node} says apples={apples}");
    }
    drop((client, stock));
    cluster.stop().await
}
