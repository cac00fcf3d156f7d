//! What works and may not be meant.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use repertoire_config::Config;

fn warnings(node: &str, keyspace: &str) -> Vec<String> {
    let text = format!(
        r#"
node = {{ id = 1, data = "data", {node} }}
tls = {{ ca = "a", cert = "b", key = "c" }}
cluster = {{ name = "shop", nodes = {{ 1 = "127.0.0.1:1", 2 = "127.0.0.1:2" }} }}
[keyspace.orders]
{keyspace}"#
    );
    let config = Config::parse("a.toml", &text).unwrap();
    config.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_said_of_the_defaults() {
    assert!(warnings("listen = \"0.0.0.0:1\"", "").is_empty());
}

#[test]
fn each_warning_names_its_key() {
    for (node, keyspace, start) in [
        (
            "site = \"lima\"",
            "",
            "a.toml: node.site = \"lima\": only this node knows its site",
        ),
        (
            "listen = \"0.0.0.0:9\"",
            "",
            "a.toml: node.listen = \"0.0.0.0:9\": the other nodes dial 127.0.0.1:1",
        ),
        (
            "listen = \"0.0.0.0:1\"",
            "acks = \"sync\"",
            "a.toml: keyspace.orders.acks = \"sync\": writes stop while any one",
        ),
        (
            "listen = \"0.0.0.0:1\"",
            "acks = \"async\"\ndurability = \"memory\"",
            "a.toml: keyspace.orders.durability = \"memory\": with acks = \"async\", a crash",
        ),
    ] {
        let found = warnings(node, keyspace);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found.iter().all(|text| text.starts_with(start)),
            "{found:?}"
        );
    }
}
