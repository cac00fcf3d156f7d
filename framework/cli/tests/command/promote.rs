//! `promote`: a controller appoints the next leader, when the former one is gone.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Run, Shop};

const LEDGER: &str = r#"
[keyspace.ledger.single-leader]
failover = "appoint"
"#;

/// Writes down whom it cut off, and ends with the code that a file names.
const FENCE: &str = r#"#!/bin/sh
echo "$REPERTOIRE_KEYSPACE $REPERTOIRE_FORMER_NODE $REPERTOIRE_SUCCESSOR" >> fenced
exit "$(cat fence-code)"
"#;

fn leads(node: &Value) -> bool {
    let groups = node["groups"].as_array();
    let is_it = |group: &Value| group["keyspace"] == "ledger" && group["role"] == "leader";
    groups.is_some_and(|groups| groups.iter().any(is_it))
}

fn promote(shop: &Shop, to: usize, more: &[&str]) -> Run {
    let to = to.to_string();
    let args = ["promote", "ledger", "--to", &to];
    shop.run(&[&args, more].concat())
}

/// A cluster with a hook that works, and the node that leads.
fn open() -> (Shop, usize) {
    let mut shop = Shop::prepare_with(LEDGER, 1);
    let script = shop.file("fence.sh");
    std::fs::write(&script, FENCE).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(shop.file("fence-code"), "0").unwrap();
    shop.set_env("REPERTOIRE_CONFIG__NODE__FENCE_COMMAND", &script);
    shop.start_all();
    shop.until("somebody leads", |nodes| nodes.iter().any(leads));
    let nodes = shop
        .run(&["status", "--output", "json", "--deadline", "500ms"])
        .ok()
        .json();
    let nodes = nodes["nodes"].as_array().unwrap();
    let leader = nodes.iter().position(leads).unwrap() + 1;
    (shop, leader)
}

fn epoch(shop: &Shop) -> u64 {
    let nodes = shop
        .run(&["status", "--output", "json", "--deadline", "500ms"])
        .json();
    let nodes = nodes["nodes"].as_array().unwrap().clone();
    let groups = nodes.iter().filter_map(|node| node["groups"].as_array());
    let ledgers = groups.flatten().filter(|g| g["keyspace"] == "ledger");
    ledgers.filter_map(|g| g["epoch"].as_u64()).max().unwrap()
}

/// Tries until the target misses the leader that was killed, which takes an election timeout.
fn promote_when_missed(shop: &Shop, to: usize, more: &[&str]) -> Run {
    loop {
        let told = promote(shop, to, more);
        if told.code == 0 || !told.stderr.contains("alive") {
            return told;
        }
    }
}

#[test]
fn an_appointed_leader_is_replaced_by_order_alone() {
    let (mut shop, former) = open();
    let (next, third) = (former % 3 + 1, (former + 1) % 3 + 1);
    let put = |shop: &Shop, key: &str| shop.run(&["put", "--keyspace", "ledger", key, "v"]);
    put(&shop, "before").ok();
    let alive = promote(&shop, next, &[]);
    assert!(
        alive.code == 4 && alive.stderr.contains("transfer"),
        "{alive:?}"
    );
    let before = epoch(&shop);
    shop.kill(former);
    // Nobody takes its place: the first word comes from the operator.
    let rehearsed = promote_when_missed(&shop, next, &["--dry-run", "--output", "json"]);
    assert_eq!(rehearsed.ok().json()["former"], former);
    assert_eq!(epoch(&shop), before);
    assert!(!shop.file("fenced").exists());
    // A hook that fails keeps everything as it is.
    std::fs::write(shop.file("fence-code"), "7").unwrap();
    let kept = promote(&shop, next, &[]);
    assert!(
        kept.code != 0 && kept.stderr.contains("exit status: 7"),
        "{kept:?}"
    );
    assert_eq!(epoch(&shop), before);
    std::fs::write(shop.file("fence-code"), "0").unwrap();
    let promoted = promote(&shop, next, &["--output", "json"]).ok().json();
    assert_eq!(promoted["former"], former);
    let fenced = std::fs::read_to_string(shop.file("fenced")).unwrap();
    let line = format!("ledger {former} {next}");
    assert!(fenced.lines().all(|told| told == line), "{fenced}");
    put(&shop, "after").ok();
    // A second controller decided about the same leadership, and is late.
    let before = before.to_string();
    let late = promote(&shop, third, &["--replaces", &before]);
    assert!(late.code != 0 && late.stderr.contains("fenced"), "{late:?}");
    shop.start(former);
    for key in ["before", "after"] {
        let got = shop.run(&["get", "--keyspace", "ledger", key, "--level", "leader"]);
        assert_eq!(got.ok().stdout, b"v", "{key}");
    }
    let again = promote(&shop, next, &[]).ok();
    assert!(again.text().contains("leads"), "{again:?}");
}

#[test]
fn promotions_that_cannot_be_are_refused_with_a_reason() {
    let shop = Shop::open();
    let fixed = shop.run(&["promote", "accounts", "--to", "2"]);
    assert!(
        fixed.code == 1 && fixed.stderr.contains("fixed"),
        "{fixed:?}"
    );
    let unknown = shop.run(&["promote", "nothing", "--to", "2", "--deadline", "1s"]);
    assert!(unknown.code != 0, "{unknown:?}");
    let stranger = shop.run(&["promote", "orders", "--to", "9", "--deadline", "1s"]);
    assert!(stranger.code != 0, "{stranger:?}");
}
