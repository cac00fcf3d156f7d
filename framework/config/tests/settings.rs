//! The table of settings, the typed sections and the sample say the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use repertoire_config::{Config, FieldDoc, fields, sample};
use serde_json::Value as Json;

const MINIMAL: &str = r#"
node = { id = 1, data = "data" }
tls = { ca = "a", cert = "b", key = "c" }
cluster = { name = "shop", nodes = { 1 = "127.0.0.1:1", 2 = "127.0.0.1:2" } }
[keyspace.any]
"#;

fn minimal() -> Json {
    serde_json::to_value(Config::parse("a.toml", MINIMAL).unwrap()).unwrap()
}

/// The keys of the sections, written as in the table.
fn keys_of_sections() -> BTreeMap<String, Json> {
    let mut keys = BTreeMap::new();
    for (section, value) in minimal().as_object().unwrap() {
        let (prefix, table) = match section.as_str() {
            "keyspace" => ("keyspace.<name>".to_owned(), &value["any"]),
            section => (section.to_owned(), value),
        };
        for (name, value) in table.as_object().unwrap() {
            keys.insert(format!("{prefix}.{name}"), value.clone());
        }
    }
    keys
}

/// Fields of their own; entries of tables have no key in the sections.
fn plain_fields() -> impl Iterator<Item = &'static FieldDoc> {
    fields().iter().filter(|field| !field.key.ends_with('>'))
}

#[test]
fn every_key_of_the_sections_is_documented_and_no_other() {
    let documented: BTreeSet<String> = plain_fields().map(|field| field.key.to_owned()).collect();
    let there: BTreeSet<String> = keys_of_sections().into_keys().collect();
    assert_eq!(documented, there);
    assert_eq!(
        plain_fields().count(),
        documented.len(),
        "a key stands twice"
    );
}

#[test]
fn every_field_says_all_there_is() {
    for field in fields() {
        let key = field.key;
        assert!(
            field.meaning.ends_with('.') && field.meaning.len() > 15,
            "{key}"
        );
        assert!(
            !field.default.is_empty() && !field.range.is_empty(),
            "{key}"
        );
        let is_sized =
            key.contains("bytes") || key.ends_with("key_max") || key.ends_with("value_max");
        assert_eq!(
            is_sized || key.ends_with("mtu"),
            field.unit == "bytes",
            "{key}"
        );
        assert_eq!(key.contains("_ms"), field.unit == "milliseconds", "{key}");
    }
}

#[test]
fn documented_defaults_are_the_defaults() {
    let there = keys_of_sections();
    let mut literal = 0;
    for field in plain_fields() {
        // Words describe defaults that depend on other settings.
        let Ok(Json::Object(document)) = literal_of(field.default) else {
            continue;
        };
        literal += 1;
        assert_eq!(document["value"], there[field.key], "{}", field.key);
    }
    assert!(literal >= 35, "only {literal} defaults are values");
    assert_eq!(
        there["keyspace.<name>.acks"],
        serde_json::json!({"semi-sync": 1})
    );
    assert!(there["keyspace.<name>.resolver"].is_null());
}

/// Reads a default through the loader's own eyes: as JSON, which simple TOML values are.
fn literal_of(default: &str) -> serde_json::Result<Json> {
    serde_json::from_str(&format!("{{\"value\": {default}}}"))
}

#[test]
fn ranges_are_enforced_as_documented() {
    for field in plain_fields() {
        let bounds: Vec<i64> = field
            .range
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let is_number = field.range.contains(" to ") && !field.range.contains('=');
        let (true, [min, max, ..]) = (is_number && !field.range.contains("a-z"), bounds.as_slice())
        else {
            continue;
        };
        if field.key.starts_with("cluster.") || field.range.contains("characters") {
            continue;
        }
        let key = field.key.replace("<name>", "any");
        for (value, is_inside) in [
            (min - 1, false),
            (*min, true),
            (*max, true),
            (max + 1, false),
        ] {
            let text = format!("{}{key} = {value}\n", "");
            let errors = set(&key, value);
            let refused = errors
                .iter()
                .any(|e| e.contains(&format!("{key} = {value}: it must be")));
            assert_eq!(refused, !is_inside, "{text}{errors:?}");
        }
    }
}

fn set(key: &str, value: i64) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, MINIMAL).unwrap();
    let flags = [(key.to_owned(), value.to_string())];
    match Config::load(&[path], &[], &flags) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_sample_loads_and_shows_every_setting() {
    let text = sample();
    let config = Config::parse("sample.toml", &text).unwrap();
    assert!(config.warnings().is_empty());
    assert_eq!(config.keyspaces["accounts"].shards, 4);
    for field in plain_fields() {
        let name = field.key.rsplit('.').next().unwrap();
        let is_shown = |line: &str| {
            line.trim_start_matches('#')
                .starts_with(&format!("{name} = "))
        };
        assert!(text.lines().any(is_shown), "{}", field.key);
    }
    assert!(text.lines().all(|line| line.len() <= 102), "{text}");
}

#[test]
fn the_sample_loads_with_all_its_comments_removed() {
    let uncommented: Vec<String> = sample()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if is_setting(setting) => setting.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let text = uncommented.join("\n");
    let config = Config::parse("sample.toml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let resolver = config.keyspaces["accounts"].resolver.as_deref();
    assert_eq!(resolver, Some("last-write-wins"));
}

fn is_setting(line: &str) -> bool {
    let name = line.split_once(" = ").map(|(name, _)| name);
    let is_name = |c: char| c.is_ascii_lowercase() || "_-".contains(c);
    name.is_some_and(|name| name.chars().all(is_name))
}

/// One node's part of a cluster whose keyspaces differ in everything.
const MIXED: &str = r#"
[node]
id = 1
site = "paris"
listen = "127.0.0.1:7401"
data = "data/1"
[tls]
ca = "certs/ca.pem"
cert = "certs/node-1.pem"
key = "certs/node-1.key"
[cluster]
name = "shop"
nodes = { 1 = "127.0.0.1:7401", 2 = "127.0.0.1:7402", 3 = "127.0.0.1:7403" }
[keyspace.accounts]
protocol = "single-leader"
engine = "redb"
log_format = "row"
shards = 4
single-leader = { acks = { semi-sync = 1 }, election = "majority" }
[keyspace.products]
protocol = "multi-leader"
resolver = "last-write-wins"
multi-leader = { topology = "star", hub = "paris", sites = ["paris", "tokyo", "lima"] }
[keyspace.carts]
protocol = "leaderless"
resolver = "or-set"
leaderless = { n = 3, w = 2, r = 2, sloppy = true }
"#;

#[test]
fn a_cluster_of_mixed_keyspaces_loads() {
    let config = Config::parse("a.toml", MIXED).unwrap();
    let options = |name: &str| config.keyspaces[name].plugin_options();
    assert_eq!(
        options("accounts"),
        r#"{"single-leader":{"election":"majority"}}"#
    );
    assert_eq!(
        options("carts"),
        r#"{"leaderless":{"n":3,"r":2,"sloppy":true,"w":2}}"#
    );
    assert_eq!(
        options("products"),
        r#"{"multi-leader":{"hub":"paris","sites":["paris","tokyo","lima"],"topology":"star"}}"#
    );
}
