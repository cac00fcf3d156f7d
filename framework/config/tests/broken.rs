//! Broken configurations: each message names file, key and fix.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use repertoire_config::{Config, ConfigErrors};

const GOOD: &str = r#"
[node]
id = 1
data = "data/1"
[tls]
ca = "ca.pem"
cert = "node-1.pem"
key = "node-1.key"
[cluster]
name = "shop"
nodes = { 1 = "10.0.0.1:7401", 2 = "10.0.0.2:7401", 3 = "10.0.0.3:7401" }
[keyspace.accounts]
shards = 4
"#;

/// The good configuration with one piece replaced.
fn broken(good: &str, bad: &str) -> ConfigErrors {
    assert!(GOOD.contains(good), "{good}");
    let text = GOOD.replace(good, bad);
    Config::parse("conf/a.toml", &text).expect_err(&text)
}

/// Exactly one problem, with exactly this text.
#[track_caller]
fn assert_message(errors: &ConfigErrors, message: &str) {
    assert_eq!(errors.to_string(), message);
}

/// A piece of [`GOOD`], what replaces it, and the message.
type Case = (&'static str, &'static str, &'static str);

#[track_caller]
fn assert_all(cases: &[Case]) {
    for (good, bad, message) in cases {
        assert_message(&broken(good, bad), message);
    }
}

#[test]
fn the_unbroken_one_loads() {
    let config = Config::parse("conf/a.toml", GOOD).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    assert_all(&[
        (
            "shards = 4",
            "shard = 4",
            "conf/a.toml: keyspace.accounts.shard = 4: unknown key; the nearest known key is \
             `shards`; write `shards`, or remove the line",
        ),
        (
            "[keyspace.accounts]",
            "[keyspaces.accounts]",
            "conf/a.toml: keyspaces = { accounts = { shards = 4 } }: unknown key; the nearest \
             known key is `keyspace`; write `keyspace`, or remove the line",
        ),
        (
            "id = 1\n",
            "id = 1\nlisten_address = \"10.0.0.1:7401\"\n",
            "conf/a.toml: node.listen_address = \"10.0.0.1:7401\": unknown key; remove the line; \
             [node] takes id, site, listen, data, fence_command, fence_timeout_ms, joins",
        ),
        (
            "id = 1\n",
            "id = 1\nmtu = 1452\n",
            "conf/a.toml: node.mtu = 1452: unknown key here; there is `transport.mtu`; move it to \
             [transport]",
        ),
        (
            "shards = 4",
            "single-laeder = { leader = 1 }",
            "conf/a.toml: keyspace.accounts.single-laeder = { leader = 1 }: unknown key; the \
             nearest known key is `single-leader`; write `single-leader`, or remove the line",
        ),
        (
            "shards = 4",
            "leaderless = { n = 3 }",
            "conf/a.toml: keyspace.accounts.leaderless = { n = 3 }: none of this keyspace's \
             plug-ins has that name; remove it, or use it as protocol, engine, log_format or \
             resolver; in use are single-leader, memory, row",
        ),
    ]);
}

#[test]
fn missing_keys_say_where_to_set_them() {
    assert_all(&[
        (
            "id = 1\n",
            "",
            "conf/a.toml: node.id: it must be set and is not; set `id` in [node], or \
             REPERTOIRE_CONFIG__NODE__ID: 1 or more",
        ),
        (
            "key = \"node-1.key\"\n",
            "",
            "conf/a.toml: tls.key: it must be set and is not; set `key` in [tls], or \
             REPERTOIRE_CONFIG__TLS__KEY: a path",
        ),
        (
            "10.0.0.1",
            "node-1.example.org",
            "conf/a.toml: node.listen: it must be set: the node's address in cluster.nodes is a \
             host name; set `listen` in [node], or REPERTOIRE_CONFIG__NODE__LISTEN: an IP address \
             and port, such as \"0.0.0.0:7401\"",
        ),
    ]);
}

#[test]
fn values_of_the_wrong_kind_say_what_belongs_there() {
    assert_all(&[
        (
            "shards = 4",
            "shards = \"4\"",
            "conf/a.toml: keyspace.accounts.shards = \"4\": a text does not belong here; write a \
             whole number, 1 to 1024, without quotes",
        ),
        (
            "shards = 4",
            "shards = 0",
            "conf/a.toml: keyspace.accounts.shards = 0: it must be 1 to 1024; write a whole \
             number, 1 to 1024, without quotes",
        ),
        (
            "shards = 4",
            "value_max = 2000000",
            "conf/a.toml: keyspace.accounts.value_max = 2000000: it must be 1 to 983040; write a \
             whole number, 1 to 983040, without quotes",
        ),
        (
            "shards = 4",
            "durability = \"dsk\"",
            "conf/a.toml: keyspace.accounts.durability = \"dsk\": it must be \"memory\", \"os\" or \
             \"disk\"; write \"disk\"",
        ),
        (
            "shards = 4",
            "acks = \"semi-sync\"",
            "conf/a.toml: keyspace.accounts.acks = \"semi-sync\": it is not an ack mode; write { \
             semi-sync = 1 }",
        ),
        (
            "shards = 4",
            "single-leader = { acks = { semi-sync = 900 } }",
            "conf/a.toml: keyspace.accounts.single-leader.acks = { semi-sync = 900 }: semi-sync \
             takes the number of synchronous followers, 0 to 63; write { semi-sync = 1 }",
        ),
        (
            "shards = 4",
            "single-leader = \"fast\"",
            "conf/a.toml: keyspace.accounts.single-leader = \"fast\": a text does not belong here; \
             write a table: [keyspace.accounts.single-leader]",
        ),
    ]);
}

#[test]
fn composed_values_are_checked_inside() {
    assert_all(&[
        (
            "shards = 4",
            "nodes = [1, 2, 1]",
            "conf/a.toml: keyspace.accounts.nodes = [1, 2, 1]: it names node 1 twice; name each \
             node once",
        ),
        (
            "shards = 4",
            "single-leader = { since = 2024-01-01 }",
            "conf/a.toml: keyspace.accounts.single-leader.since = a date: a date does not belong \
             here; write a text, a number or true and false; dates go into texts",
        ),
        (
            "id = 1\n",
            "id = 1\nlisten = \"localhost:7401\"\n",
            "conf/a.toml: node.listen = \"localhost:7401\": it is not an IP address and port; \
             write an IP address and port, such as \"127.0.0.1:7401\" or \"[::]:7401\"",
        ),
        (
            "[keyspace.accounts]",
            "[transport]\nmtu = 9000\n[keyspace.accounts]",
            "conf/a.toml: transport.mtu = 9000: it must be \"auto\" or 1200 to 6500; write \
             \"auto\" or a whole number, 1200 to 6500, without quotes",
        ),
        (
            "[node]\nid = 1\ndata = \"data/1\"",
            "node = 1",
            "conf/a.toml: node = 1: an integer does not belong here; write it as a table: [node]",
        ),
    ]);
}

#[test]
fn names_and_addresses_are_checked() {
    assert_all(&[
        (
            "keyspace.accounts",
            "keyspace.catalogue",
            "conf/a.toml: keyspace.catalogue = { shards = 4 }: `catalogue` is the name of \
             keyspace 0, which the framework makes itself; choose another name, such as `products`",
        ),
        (
            "keyspace.accounts",
            "keyspace.\"My Accounts\"",
            "conf/a.toml: keyspace.\"My Accounts\" = { shards = 4 }: it cannot be the name of a \
             keyspace; use 1 to 64 of a-z, 0-9, `-` and `_`",
        ),
        (
            "name = \"shop\"",
            "name = \"Shop_1\"",
            "conf/a.toml: cluster.name = \"Shop_1\": it is part of the names in certificates, and \
             cannot be one; use 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
        ),
        (
            "2 = \"10.0.0.2:7401\"",
            "2 = \"10.0.0.2\"",
            "conf/a.toml: cluster.nodes.2 = \"10.0.0.2\": the port is missing; write it like \
             \"10.0.0.1:7401\"",
        ),
        (
            "2 = \"10.0.0.2:7401\"",
            "02 = \"10.0.0.2:7401\"",
            "conf/a.toml: cluster.nodes.02 = \"10.0.0.2:7401\": the key is not a node id; use \
             whole numbers from 1 as keys: { 1 = \"10.0.0.1:7401\", 2 = \"10.0.0.2:7401\" }",
        ),
        (
            "2 = \"10.0.0.2:7401\"",
            "2 = \"10.0.0.1:7401\"",
            "conf/a.toml: cluster.nodes.2 = \"10.0.0.1:7401\": node 1 has the same address; give \
             each node an address of its own",
        ),
    ]);
}

#[test]
fn contradictions_are_found() {
    assert_all(&[
        (
            "id = 1\n",
            "id = 4\nlisten = \"10.0.0.4:7401\"\n",
            "conf/a.toml: node.id = 4: cluster.nodes has no node 4, only 1, 2, 3; add the node to \
             cluster.nodes, give this one another id, or set node.joins where it joins a running \
             cluster",
        ),
        (
            "id = 1\n",
            "id = 1\njoins = true\n",
            "conf/a.toml: node.joins = true: cluster.nodes has node 1: the cluster was founded with \
             it; leave node.joins out; cluster.nodes stays as the cluster was founded",
        ),
        (
            "shards = 4",
            "acks = { semi-sync = 3 }",
            "conf/a.toml: keyspace.accounts.acks = { semi-sync = 3 }: it asks for 4 copies, and 3 \
             nodes hold the keyspace; write \"majority\" or { semi-sync = 2 } at most, or add nodes",
        ),
        (
            "shards = 4",
            "nodes = [3]\nacks = { semi-sync = 1 }",
            "conf/a.toml: keyspace.accounts.acks = { semi-sync = 1 }: it asks for 2 copies, and 1 \
             node holds the keyspace; write \"async\", or place the keyspace on more nodes",
        ),
        (
            "shards = 4",
            "nodes = [1, 7]",
            "conf/a.toml: keyspace.accounts.nodes = [1, 7]: cluster.nodes has no node 7; add the \
             node to cluster.nodes, or take it out of this list",
        ),
        (
            "[keyspace.accounts]",
            "sites = { 9 = \"paris\" }\n[keyspace.accounts]",
            "conf/a.toml: cluster.sites.9 = \"paris\": cluster.nodes has no node 9; add the node, \
             or remove the line",
        ),
        (
            "[keyspace.accounts]",
            "[log]\nsegment_bytes = 5000000\n[keyspace.accounts]",
            "conf/a.toml: log.segment_bytes = 5000000: it is not a multiple of 4096; write 4997120",
        ),
        (
            "[keyspace.accounts]",
            "[log]\ncapacity_bytes = 100000000\n[keyspace.accounts]",
            "conf/a.toml: log.capacity_bytes = 100000000: the log needs room for 4 files of \
             log.segment_bytes; write at least 268435456, or lower log.segment_bytes",
        ),
        (
            "[keyspace.accounts]",
            "[limits]\nsession_bytes_max = 100000000\n[keyspace.accounts]",
            "conf/a.toml: limits.session_bytes_max = 100000000: it is more than \
             limits.request_bytes_max, which is 67108864; write 67108864 at most, or raise \
             limits.request_bytes_max",
        ),
        (
            "[keyspace.accounts]",
            "[transport]\nkeep_alive_interval_ms = 9000\n[keyspace.accounts]",
            "conf/a.toml: transport.keep_alive_interval_ms = 9000: one lost packet would end a \
             link: transport.idle_timeout_ms is 10000 ms; write 5000 at most, or raise \
             idle_timeout_ms",
        ),
    ]);
}

#[test]
fn a_node_in_two_sites_is_a_contradiction() {
    let text = GOOD
        .replace("id = 1\n", "id = 1\nsite = \"lima\"\n")
        .replace(
            "[keyspace.accounts]",
            "sites = { 1 = \"paris\" }\n[keyspace.accounts]",
        );
    assert_message(
        &Config::parse("a.toml", &text).unwrap_err(),
        "a.toml: node.site = \"lima\": cluster.sites puts node 1 in \"paris\"; leave `site` out of \
         [node], or make both say the same",
    );
}

#[test]
fn text_that_is_not_toml_names_line_and_column() {
    for (good, bad, start) in [
        (
            "id = 1",
            "id = ",
            "conf/a.toml: line 3, column 6: this is not TOML: ",
        ),
        (
            "shards = 4",
            "shards = 4\nshards = 5",
            "conf/a.toml: line 14, column 1: this is not TOML: duplicate key",
        ),
    ] {
        let text = broken(good, bad).to_string();
        assert!(text.starts_with(start) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let errors = Config::load(&["no/such.toml"], &[], &[]).unwrap_err();
    let text = errors.to_string();
    assert!(
        text.starts_with("no/such.toml: the file cannot be read: "),
        "{text}"
    );
    assert!(
        text.ends_with("; name a file that exists and that this user may read"),
        "{text}"
    );
}

#[test]
fn problems_are_collected() {
    let text = GOOD
        .replace("id = 1\n", "id = \"one\"\n")
        .replace("shards = 4", "shrads = 4\nacks = \"most\"")
        .replace("name = \"shop\"\n", "");
    let errors = Config::parse("a.toml", &text).unwrap_err();
    let keys: Vec<&str> = errors.problems().iter().map(|p| p.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "node.id",
            "cluster.name",
            "keyspace.accounts.acks",
            "keyspace.accounts.shrads"
        ],
        "{errors}"
    );
    assert!(
        errors
            .to_string()
            .starts_with("4 problems in the configuration:\n  a.toml: ")
    );
}

#[test]
fn a_pasted_key_is_refused_and_not_shown() {
    let errors = broken(
        "\"node-1.key\"",
        "\"\"\"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n\"\"\"",
    );
    let text = errors.to_string();
    assert!(
        text.contains("a.toml: tls.key = \"[not shown]\": it holds a private key"),
        "{text}"
    );
    assert!(!text.contains("MC4C"), "{text}");
}

#[test]
fn an_error_of_the_framework_keeps_key_and_remedy() {
    let errors = broken("shards = 4", "shard = 4\nack = \"sync\"");
    let error = repertoire_core::Error::from(errors);
    assert_eq!(error.code(), "RPT-0016");
    let text = error.to_string();
    for part in [
        "conf/a.toml",
        "key=keyspace.accounts.ack,",
        "remedy=write `acks`",
        "further problems=1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
