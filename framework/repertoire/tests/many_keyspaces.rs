//! Keyspaces made at once: more than a node applies in one turn.
#![allow(clippy::unwrap_used, reason = "a test ends where its expectation does")]

use std::time::Duration;

use repertoire::core::{Descriptor, KeyspaceId, NodeId};
use repertoire::{LocalCluster, LocalOptions};

const KEYSPACES: u32 = 1000;

/// The catalogue is read again when the engine has got further, and not only when it was handed more.
#[tokio::test]
async fn every_one_of_a_thousand_keyspaces_starts() {
    let describe = |number: u32| {
        let name = format!("keyspace-{number}");
        let mut keyspace =
            Descriptor::single_shard(KeyspaceId(number), name, "standalone", &[NodeId(1)]);
        // A row of two KiB counts as two more of the records that one turn applies.
        keyspace.plugin_options = format!(r#"{{"another": "{}"}}"#, "-".repeat(2048));
        keyspace
    };
    let options = LocalOptions {
        nodes: 1,
        ..LocalOptions::new("many")
    };
    let keyspaces = (1..=KEYSPACES).map(describe).collect();
    let cluster = LocalCluster::start(options, keyspaces).await.unwrap();
    cluster.ready(Duration::from_secs(30)).await.unwrap();
    cluster.stop().await.unwrap();
}
