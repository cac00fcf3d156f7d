//! Precedence of the layers, and where values come from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use repertoire_config::{Config, Origin};
use repertoire_core::Acks;

const FILE: &str = r#"
[node]
id = 1
listen = "127.0.0.1:1"
data = "data/1"
[tls]
ca = "ca.pem"
cert = "node-1.pem"
key = "/etc/node-1.key"
[cluster]
name = "shop"
nodes = { 1 = "127.0.0.1:1", 2 = "127.0.0.1:2", 3 = "127.0.0.1:3" }
[keyspace.my-accounts]
acks = "async"
[keyspace.my-accounts.single-leader]
heartbeat_interval_ms = 50
"#;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn load(
    texts: &[&str],
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("{number}.toml"));
        std::fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let hide = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    Config::load(&paths, &pairs(environment), &pairs(flags)).map_err(|e| hide(e.to_string()))
}

#[test]
fn later_layers_win() {
    let key = "REPERTOIRE_CONFIG__NODE__LISTEN";
    let second = "[node]\nlisten = \"127.0.0.1:2\"\n";
    let port = |config: &Config| config.node.listen.port();
    let origin = |config: &Config| config.origin_of("node.listen");

    let config = load(&[FILE], &[], &[]).unwrap();
    assert_eq!(port(&config), 1);
    let config = load(&[FILE, second], &[], &[]).unwrap();
    assert_eq!(port(&config), 2);
    assert!(matches!(origin(&config), Origin::File(path) if path.ends_with("1.toml")));
    let config = load(&[FILE, second], &[(key, "127.0.0.1:3")], &[]).unwrap();
    assert_eq!(
        (port(&config), origin(&config)),
        (3, Origin::Environment(key.into()))
    );
    let environment = [("REPERTOIRE_LISTEN", "127.0.0.1:4"), (key, "127.0.0.1:3")];
    let config = load(&[FILE, second], &environment, &[]).unwrap();
    let flag_variable = Origin::Environment("REPERTOIRE_LISTEN".into());
    assert_eq!((port(&config), origin(&config)), (4, flag_variable));
    let flags = [("listen", "127.0.0.1:5")];
    let config = load(&[FILE, second], &environment, &flags).unwrap();
    assert_eq!(
        (port(&config), origin(&config)),
        (5, Origin::Flag("--listen".into()))
    );
    let flags = [("listen", "127.0.0.1:5"), ("node.listen", "127.0.0.1:6")];
    let config = load(&[FILE, second], &environment, &flags).unwrap();
    assert_eq!(
        (port(&config), origin(&config)),
        (6, Origin::Flag("--set node.listen".into()))
    );
}

#[test]
fn tables_merge_and_lists_are_replaced() {
    let second = "[cluster.nodes]\n2 = \"127.0.0.1:22\"\n[keyspace.orders]\nnodes = [1, 2]\n";
    let third = "[keyspace.orders]\nnodes = [3, 1]\n";
    let config = load(&[FILE, second, third], &[], &[]).unwrap();
    let addresses: Vec<&String> = config.cluster.nodes.values().collect();
    assert_eq!(addresses, ["127.0.0.1:1", "127.0.0.1:22", "127.0.0.1:3"]);
    let nodes: Vec<u64> = config.keyspaces["orders"]
        .nodes
        .iter()
        .map(|node| node.0)
        .collect();
    assert_eq!(nodes, [3, 1]);
}

#[test]
fn variables_reach_every_key() {
    let environment = [
        ("REPERTOIRE_CONFIG__CLUSTER__NAME", "no quotes needed"),
        ("REPERTOIRE_CONFIG__CLUSTER__NODES__3", "127.0.0.1:33"),
        ("REPERTOIRE_CONFIG__KEYSPACE__MY_ACCOUNTS__SHARDS", "16"),
        (
            "REPERTOIRE_CONFIG__KEYSPACE__MY_ACCOUNTS__ACKS",
            "{ semi-sync = 2 }",
        ),
        (
            "REPERTOIRE_CONFIG__KEYSPACE__MY_ACCOUNTS__SINGLE_LEADER__CACHE_BYTES",
            "1_000",
        ),
        (
            "REPERTOIRE_CONFIG__TRANSPORT__SEGMENTATION_OFFLOAD",
            "false",
        ),
        ("REPERTOIRE_CONFIG__KEYSPACE__ORDERS", "{}"),
        ("REPERTOIRE_CONFIG__KEYSPACE__ORDERS__DURABILITY", "os"),
        ("REPERTOIRE_OUTPUT", "json"),
        ("PATH", "/bin"),
    ];
    let error = load(&[FILE], &environment, &[]).unwrap_err();
    assert!(
        error.starts_with(
            "environment variable REPERTOIRE_CONFIG__CLUSTER__NAME: cluster.name = \"no quotes \
             needed\": "
        ),
        "{error}"
    );
    let config = load(&[FILE], &environment[1..], &[]).unwrap();
    let accounts = &config.keyspaces["my-accounts"];
    assert_eq!(
        config.cluster.nodes.values().nth(2).unwrap(),
        "127.0.0.1:33"
    );
    assert_eq!((accounts.shards, accounts.acks), (16, Acks::SemiSync(2)));
    assert_eq!(
        accounts.plugin_options(),
        r#"{"single-leader":{"cache_bytes":1000,"heartbeat_interval_ms":50}}"#
    );
    assert!(!config.transport.segmentation_offload);
    assert_eq!(config.keyspaces.len(), 2);
}

#[test]
fn a_node_runs_from_variables_alone() {
    let environment = [
        ("REPERTOIRE_NODE_ID", "2"),
        ("REPERTOIRE_DATA", "data"),
        ("REPERTOIRE_CONFIG__TLS__CA", "a"),
        ("REPERTOIRE_CONFIG__TLS__CERT", "b"),
        ("REPERTOIRE_CONFIG__TLS__KEY", "c"),
        ("REPERTOIRE_CONFIG__CLUSTER__NAME", "shop"),
        (
            "REPERTOIRE_CONFIG__CLUSTER__NODES",
            r#"{ 1 = "127.0.0.1:1", 2 = "127.0.0.1:2" }"#,
        ),
    ];
    let config = load(&[], &environment, &[]).unwrap();
    assert_eq!((config.node.id.0, config.node.listen.port()), (2, 2));
    assert_eq!(config.node.data, Path::new("data"));
    let error = load(&[], &environment[1..], &[]).unwrap_err();
    assert!(error.contains("REPERTOIRE_CONFIG__NODE__ID"), "{error}");
}

#[test]
fn mistakes_outside_of_files_name_their_variable_or_flag() {
    for (environment, flags, message) in [
        (
            &[("REPERTOIRE_CONFIG__NODE__LISTN", "127.0.0.1:1")][..],
            &[][..],
            "environment variable REPERTOIRE_CONFIG__NODE__LISTN: node.listn = \"127.0.0.1:1\": \
             unknown key; the nearest known key is `listen`; write `listen`, or remove the line",
        ),
        (
            &[],
            &[("listen", "here")],
            "flag --listen: node.listen = \"here\": it is not an IP address and port; write an IP \
             address and port, such as \"127.0.0.1:7401\" or \"[::]:7401\"",
        ),
        (
            &[],
            &[("keyspace.my-accounts.shards", "many")],
            "flag --set keyspace.my-accounts.shards: keyspace.my-accounts.shards = \"many\": a \
             text does not belong here; write a whole number, 1 to 1024, without quotes",
        ),
        (
            &[],
            &[("listne", "127.0.0.1:1")],
            "flag --listne: listne: neither a flag of the configuration nor the path of a key; \
             write `listen`",
        ),
        (
            &[("REPERTOIRE_CONFIG__", "1")],
            &[],
            "environment variable REPERTOIRE_CONFIG__: \"\": it is not the path of a key: a part \
             is empty, or there are too many; name section and key, as in \
             REPERTOIRE_CONFIG__NODE__LISTEN or `node.listen`",
        ),
    ] {
        assert_eq!(load(&[FILE], environment, flags).unwrap_err(), message);
    }
}

#[test]
fn acks_in_the_protocols_table_win_inside_a_layer() {
    let acks = |texts: &[&str], environment: &[(&str, &str)]| {
        load(texts, environment, &[]).unwrap().keyspaces["my-accounts"].acks
    };
    let inner = "[keyspace.my-accounts.single-leader]\nacks = \"majority\"\n";
    let both = "[keyspace.my-accounts]\nacks = \"sync\"\nsingle-leader = { acks = \"majority\" }\n";
    let outer_variable = ("REPERTOIRE_CONFIG__KEYSPACE__MY_ACCOUNTS__ACKS", "sync");
    let inner_variable = (
        "REPERTOIRE_CONFIG__KEYSPACE__MY_ACCOUNTS__SINGLE_LEADER__ACKS",
        "async",
    );
    assert_eq!(acks(&[FILE, inner], &[]), Acks::Majority);
    assert_eq!(acks(&[FILE, both], &[]), Acks::Majority);
    assert_eq!(acks(&[FILE, inner], &[outer_variable]), Acks::Sync);
    assert_eq!(
        acks(&[FILE, inner], &[outer_variable, inner_variable]),
        Acks::Async
    );
    let config = load(&[FILE, inner], &[inner_variable], &[]).unwrap();
    assert!(
        !config.keyspaces["my-accounts"]
            .plugin_options()
            .contains("acks")
    );
    let from = config.origin_of("keyspace.my-accounts.acks");
    assert_eq!(from, Origin::Environment(inner_variable.0.into()));
}

#[test]
fn relative_paths_in_a_file_start_at_the_file() {
    let config = Config::parse("conf/a.toml", FILE).unwrap();
    assert_eq!(config.node.data, Path::new("conf/data/1"));
    assert_eq!(config.tls.key, PathBuf::from("/etc/node-1.key"));
    let config = load(&[FILE], &[], &[("data", "elsewhere")]).unwrap();
    assert_eq!(config.node.data, Path::new("elsewhere"));
}

#[test]
fn the_effective_configuration_loads_again_and_names_origins() {
    let environment = [("REPERTOIRE_CONFIG__LOG__CAPACITY_BYTES", "1_073_741_824")];
    let flags = [("cluster.sites.1", "paris"), ("node.data", "/data")];
    let config = load(&[FILE], &environment, &flags).unwrap();
    let text = config.render_effective();
    let again = Config::parse("/conf/b.toml", &text).unwrap();
    assert_eq!(
        serde_json::to_value(&config).unwrap(),
        serde_json::to_value(&again).unwrap(),
        "{text}"
    );
    assert_eq!(config.descriptors(), again.descriptors());
    assert_eq!(config.config_digest(), again.config_digest());
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
    assert!(
        line("capacity_bytes = 1073741824")
            .ends_with("# environment variable REPERTOIRE_CONFIG__LOG__CAPACITY_BYTES")
    );
    assert!(line("data = \"/data\"").ends_with("# flag --set node.data"));
    assert!(line("sites = ").ends_with("# flag --set cluster.sites.1"));
    assert!(line("segment_bytes = 67108864").ends_with("# default"));
    assert!(line("heartbeat_interval_ms = 50").ends_with("0.toml"));
    assert!(line("# resolver is not set").ends_with("# default"));
}

#[test]
fn secrets_in_options_are_not_printed() {
    let second = "[keyspace.my-accounts.memory]\nadmin_password = \"hunter2\"\n";
    let text = load(&[FILE, second], &[], &[]).unwrap().render_effective();
    assert!(text.contains("admin_password = \"[not shown]\""), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
