//! Chains on real nodes: QUIC on loopback, log files in a temporary folder.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use repertoire::core::{
    Acks, Descriptor, Error, KeyspaceId, NodeId, Position, ReadLevel, Registry,
};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::Client;

/// Far beyond what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn registry() -> Arc<Registry> {
    let mut registry = repertoire::registry();
    chain::register(&mut registry);
    Arc::new(registry)
}

// ANCHOR: cluster
async fn start() -> Result<(LocalCluster, Client), Error> {
    let nodes = [1, 2, 3].map(NodeId);
    let mut orders = Descriptor::single_shard(KeyspaceId(1), "orders", chain::NAME, &nodes);
    orders.options.acks = Acks::Sync;
    let mut options = LocalOptions::new("chain");
    options.registry = registry();
    let cluster = LocalCluster::start(options, vec![orders]).await?;
    cluster.ready(PATIENCE).await?;
    // ANCHOR_END: cluster
    let mut client = Client::builder().tls(cluster.client_tls("test")?);
    for address in cluster.addresses() {
        client = client.address(address.to_string());
    }
    let client = client.deadline(PATIENCE).build().await?;
    Ok((cluster, client))
}

/// Every replica, in turn, misses a write or delays it, and holds everything in the end.
#[tokio::test]
async fn a_chain_serves_and_each_of_its_nodes_may_restart() -> Result<(), Error> {
    let (mut cluster, client) = start().await?;
    let orders = client.keyspace("orders").await?;
    let written = orders.put("a", "0").await?;
    assert_eq!(written.ack.copies, 3);
    for id in [3, 2, 1].map(NodeId) {
        cluster.stop_node(id).await?;
        // The write waits for the whole chain, however late the node is back.
        let value = id.0.to_string();
        let write = orders.put("a", value.clone());
        let (written, back) = tokio::join!(write, cluster.start_node(id));
        back?;
        let written = written?;
        assert_eq!(written.ack.copies, 3);
        let (_, found) = orders.level(ReadLevel::Leader).get("a").await?;
        assert_eq!(found.as_deref(), Some(value.as_bytes()));
        let seen = ReadLevel::Session(Position::Entry(written.ack.position));
        for node in cluster.ids() {
            let (_, found) = orders.level(seen.clone()).at(node).get("a").await?;
            assert_eq!(found.as_deref(), Some(value.as_bytes()), "{node}");
        }
    }
    drop((client, orders));
    cluster.stop().await
}

#[test]
fn the_command_knows_the_protocol() {
    let sim = |protocol: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chain"));
        command.args(["sim", "--seeds", "4", "--steps-per-seed", "500"]);
        command.args(["--protocol", protocol]).output().unwrap()
    };
    let found = sim("chain");
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.status.success(), "{told}");
    assert!(told.contains("No promise was broken"), "{told}");
    let found = sim("chian");
    let told = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(!found.status.success() && told.contains("chain"), "{told}");
}
