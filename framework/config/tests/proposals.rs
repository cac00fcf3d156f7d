//! What a configuration proposes, and when two of them are the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use repertoire_config::Config;
use repertoire_core::{Acks, Durability, KeyspaceId, NodeId, ShardId};

const CLUSTER: &str = r#"
[tls]
ca = "a"
cert = "b"
key = "c"
[cluster]
name = "shop"
nodes = { 10 = "h10:1", 9 = "h9:1", 1 = "h1:1" }
sites = { 9 = "tokyo" }
[keyspace.orders]
engine = "redb"
shards = 4
single-leader = { window_bytes = 1, acks = "majority", append_bytes_max = 2 }
[keyspace.accounts]
nodes = [9]
resolver = "last-write-wins"
durability = "os"
[node]
"#;

fn node(id: u64) -> Config {
    let text = format!("{CLUSTER}\nid = {id}\ndata = \"d{id}\"\nlisten = \"0.0.0.0:1\"\n");
    Config::parse("a.toml", &text).unwrap()
}

#[test]
fn every_node_proposes_the_same() {
    let first = node(1);
    for other in [node(9), node(10)] {
        assert_eq!(first.descriptors(), other.descriptors());
        assert_eq!(first.members(), other.members());
        assert_eq!(first.config_digest(), other.config_digest());
    }
}

#[test]
fn the_catalogue_comes_first_and_names_decide_numbers() {
    let descriptors = node(1).descriptors();
    let names: Vec<(KeyspaceId, &str)> = descriptors
        .iter()
        .map(|d| (d.id, d.name.as_str()))
        .collect();
    let expected = [(0, "catalogue"), (1, "accounts"), (2, "orders")];
    assert_eq!(names, expected.map(|(id, name)| (KeyspaceId(id), name)));
    let catalogue = &descriptors[0];
    assert_eq!(catalogue.protocol.name, "single-leader");
    assert_eq!(catalogue.options.acks, Acks::Majority);
    assert_eq!(catalogue.options.durability, Durability::Disk);
    let voters: Vec<u64> = catalogue.voters(ShardId(0)).map(|node| node.0).collect();
    assert_eq!(voters, [1, 9, 10]);
}

#[test]
fn settings_reach_the_descriptor() {
    let descriptors = node(1).descriptors();
    let [_, accounts, orders] = descriptors.as_slice() else {
        panic!("{descriptors:?}");
    };
    assert_eq!(orders.engine.name, "redb");
    assert_eq!(orders.options.acks, Acks::Majority);
    assert_eq!(
        orders.plugin_options,
        r#"{"single-leader":{"append_bytes_max":2,"window_bytes":1}}"#
    );
    assert_eq!(accounts.resolver.as_ref().unwrap().name, "last-write-wins");
    assert_eq!(accounts.options.durability, Durability::Os);
    assert_eq!(
        accounts.options.acks,
        Acks::Async,
        "one node has no follower"
    );
    assert_eq!(accounts.plugin_options, "");
    assert_eq!(accounts.replicas(ShardId(0))[0].site.0, "tokyo");
}

#[test]
fn shards_begin_with_different_nodes() {
    let orders = node(1).descriptors().remove(2);
    let first = |shard| orders.voters(ShardId(shard)).next().unwrap();
    assert_eq!([0, 1, 2, 3].map(first), [1, 9, 10, 1].map(NodeId));
    let shards: Vec<ShardId> = (0..4096)
        .map(|slot| orders.placement.slots.shard_of_slot(slot))
        .collect();
    assert!(shards.is_sorted() && shards.last() == Some(&ShardId(3)));
}

#[test]
fn members_have_addresses_and_sites() {
    let members = node(10).members();
    let shown: Vec<String> = members
        .iter()
        .map(|m| format!("{} {} {}", m.node.0, m.address, m.site))
        .collect();
    assert_eq!(shown, ["1 h1:1 main", "9 h9:1 tokyo", "10 h10:1 main"]);
}

#[test]
fn the_digest_sees_what_must_agree_and_nothing_else() {
    let base = node(1);
    let with = |good: &str, bad: &str| {
        let rest = "\nid = 1\ndata = \"d\"\nlisten = \"0.0.0.0:1\"\n";
        let text = format!("{CLUSTER}{rest}").replace(good, bad);
        Config::parse("a.toml", &text).unwrap()
    };
    for (good, bad) in [
        ("\"a\"", "\"other-ca\""),
        ("h9:1", "elsewhere:1"),
        ("[node]", "[log]\nsegment_bytes = 8388608\n[node]"),
        // Saying a default changes nothing.
        ("engine = \"redb\"", "engine = \"redb\"\nkey_max = 4096"),
        ("resolver", "acks = \"async\"\nmemory = {}\nresolver"),
        ("shards = 4", "shards = 4\nnodes = [1, 9, 10]"),
        // Nor does the place of `acks`.
        (
            "single-leader = { window_bytes = 1, acks = \"majority\", append_bytes_max = 2 }",
            "acks = \"majority\"\nsingle-leader = { append_bytes_max = 2, window_bytes = 1 }",
        ),
    ] {
        assert!(CLUSTER.contains(good), "{good}");
        let other = with(good, bad);
        assert_eq!(
            other.config_digest(),
            base.config_digest(),
            "{good} -> {bad}"
        );
    }
    for (good, bad) in [
        ("\"shop\"", "\"shop2\""),
        ("10 = \"h10:1\", ", ""),
        ("tokyo", "lima"),
        ("shards = 4", "shards = 5"),
        ("redb", "fjall"),
        ("window_bytes = 1,", "window_bytes = 3,"),
        ("keyspace.orders", "keyspace.others"),
        ("nodes = [9]", "nodes = [9, 1]"),
    ] {
        let other = with(good, bad);
        assert_ne!(
            other.config_digest(),
            base.config_digest(),
            "{good} -> {bad}"
        );
    }
    let changed = with("shards = 4", "shards = 5").keyspace_digests();
    let before = base.keyspace_digests();
    assert_eq!(changed["accounts"], before["accounts"]);
    assert_ne!(changed["orders"], before["orders"]);
}

#[test]
fn the_digest_keeps_its_value_across_versions() {
    // A new value needs a new form of the digested text: old and new nodes would refuse each other.
    assert_eq!(
        format!("{:016x}", node(1).config_digest()),
        "16ba430ae2fbda1f"
    );
}
