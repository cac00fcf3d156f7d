//! `discarded`: what an asynchronous keyspace lost with its leader, by name, and what becomes of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Shop;

/// A keyspace that acknowledges what nobody else has, and whose leader stays one for long enough to be
/// written to alone.
const LOGINS: &str = r#"
[keyspace.logins]
acks = "async"
[keyspace.logins.single-leader]
failover = "elect"
election_timeout_ms = 5000
"#;

/// The exit code of `get` for a key that is not there.
const ABSENT: i32 = 5;

/// What is acknowledged by a leader alone.
const LOST: usize = 6;

fn leads(node: &Value, keyspace: &str) -> bool {
    let groups = node["groups"].as_array();
    let is_it = |group: &Value| group["keyspace"] == keyspace && group["role"] == "leader";
    groups.is_some_and(|groups| groups.iter().any(is_it))
}

fn leader(shop: &Shop) -> usize {
    let nodes = shop.run(&["status", "--output", "json"]).ok().json();
    let nodes = nodes["nodes"].as_array().unwrap().clone();
    let found = nodes.iter().position(|node| leads(node, "logins"));
    found.expect("somebody leads") + 1
}

fn listed(shop: &Shop) -> (Value, BTreeSet<String>) {
    let args = ["discarded", "logins", "list", "--output", "json"];
    let found = shop.run(&args).ok().json();
    let writes = found["writes"].as_array().unwrap().clone();
    let key = |write: &Value| write["changes"][0]["key"].as_str().unwrap().to_owned();
    (found, writes.iter().map(key).collect())
}

fn get(shop: &Shop, key: &str) -> i32 {
    let args = ["get", "--keyspace", "logins", key, "--level", "leader"];
    shop.run(&args).code
}

/// A cluster whose former leader has come back with writes that it alone had acknowledged.
fn lose_some() -> (Shop, usize) {
    let mut shop = Shop::prepare_with(LOGINS, 1);
    shop.start_all();
    shop.until("somebody leads", |nodes| {
        nodes.iter().any(|node| leads(node, "logins"))
    });
    shop.run(&["put", "--keyspace", "logins", "kept", "v"]).ok();
    shop.until("everybody has it", |nodes| {
        let has_it = |node: &Value| {
            let mut groups = node["groups"].as_array().unwrap().iter();
            groups.any(|group| group["keyspace"] == "logins" && group["keys"] == 1)
        };
        nodes.iter().all(has_it)
    });
    let former = leader(&shop);
    let others: Vec<usize> = (1..=3).filter(|id| *id != former).collect();
    others.iter().for_each(|id| shop.kill(*id));
    let rows: Vec<String> = (0..LOST)
        .map(|number| format!("{{\"key\":\"lost-{number}\",\"value\":\"v{number}\"}}"))
        .collect();
    let mut import = shop.client(&["import", "--keyspace", "logins", "--format", "jsonl", "-"]);
    let imported = crate::support::finish(&mut import, rows.join("\n").as_bytes());
    assert_eq!(imported.code, 0, "{imported:?}");
    shop.kill(former);
    others.iter().for_each(|id| shop.start(*id));
    shop.until("another one leads", |nodes| {
        let leads = |id: &usize| leads(&nodes[*id - 1], "logins");
        others.iter().any(leads)
    });
    shop.start(former);
    shop.until("it has followed", |nodes| {
        let mut groups = nodes[former - 1]["groups"].as_array().into_iter().flatten();
        groups.any(|group| {
            group["keyspace"] == "logins" && group["details"]["discarded_writes"] == LOST
        })
    });
    (shop, former)
}

fn lost() -> BTreeSet<String> {
    (0..LOST).map(|number| format!("lost-{number}")).collect()
}

#[test]
fn what_was_acknowledged_and_lost_is_listed_and_replayed() {
    let (mut shop, former) = lose_some();
    let (found, keys) = listed(&shop);
    assert_eq!(keys, lost(), "{found}");
    for write in found["writes"].as_array().unwrap() {
        assert_eq!(
            (&write["node"], &write["acknowledged"]),
            (&former.into(), &"likely".into())
        );
        assert_eq!(write["is_original"], true, "{write}");
    }
    assert_eq!(get(&shop, "lost-0"), ABSENT, "it is lost indeed");

    // A crash of the node that keeps them changes nothing.
    shop.kill(former);
    let away = shop.run(&["discarded", "logins", "list", "--output", "json"]);
    assert_eq!(away.ok().json()["unreachable"][0], former);
    shop.start(former);
    shop.until("it is back", |nodes| nodes[former - 1]["reachable"] == true);
    assert_eq!(listed(&shop).1, lost());

    let args = ["discarded", "logins", "replay", "--all", "--output", "json"];
    let replayed = shop.run(&args).ok().json();
    assert_eq!(
        (&replayed["replayed"], &replayed["left"]),
        (&LOST.into(), &0.into())
    );
    for key in lost() {
        assert_eq!(get(&shop, &key), 0, "{key}");
    }
    assert!(listed(&shop).1.is_empty());
    let again = shop.run(&args).ok().json();
    assert_eq!(again["replayed"], 0, "{again}");
}

#[test]
fn what_is_given_up_is_listed_no_more_after_a_restart_either() {
    let (mut shop, former) = lose_some();
    let (found, _) = listed(&shop);
    let at = &found["writes"][0]["position"];
    let position = format!("{}@{}", at["lsn"], at["epoch"]);
    let table = shop.run(&["discarded", "logins", "list"]).ok();
    assert!(table.text().contains(&position), "{table:?}");
    shop.run(&["discarded", "logins", "acknowledge", &position])
        .ok();
    assert_eq!(listed(&shop).1.len(), LOST - 1);
    let twice = shop.run(&["discarded", "logins", "acknowledge", &position]);
    assert!(twice.stderr.contains("settled already"), "{twice:?}");

    shop.kill(former);
    shop.start(former);
    shop.until("it is back", |nodes| nodes[former - 1]["reachable"] == true);
    assert_eq!(listed(&shop).1.len(), LOST - 1);
    shop.run(&["discarded", "logins", "acknowledge", "--all"])
        .ok();
    let none = shop.run(&["discarded", "logins", "list"]).ok();
    assert_eq!(none.text(), "No write waits for a decision.\n");
    assert_eq!(get(&shop, "lost-0"), ABSENT);
}

#[test]
fn mistakes_are_refused_with_a_reason() {
    let shop = Shop::open();
    let unnamed = shop.run(&["discarded", "orders", "acknowledge"]);
    assert!(unnamed.stderr.contains("--all"), "{unnamed:?}");
    let unknown = shop.run(&["discarded", "nothing", "list"]);
    assert!(
        unknown.code != 0 && unknown.stderr.contains("nothing"),
        "{unknown:?}"
    );
    let position = shop.run(&["discarded", "orders", "replay", "twelve"]);
    assert!(
        position.code == 2 && position.stderr.contains("LSN@EPOCH"),
        "{position:?}"
    );
    let stranger = shop.run(&["discarded", "orders", "replay", "12@3"]);
    assert!(
        stranger.code == 1 && stranger.stderr.contains("12@3"),
        "{stranger:?}"
    );
}
