//! Verbs on a keyspace of several shards, whose replicas elect.

use serde_json::Value;

use crate::support::{Shop, finish};

const TICKETS: &str = r#"
[keyspace.tickets]
shards = 4
[keyspace.tickets.single-leader]
failover = "elect"
"#;

#[test]
fn a_sharded_keyspace_is_counted_scanned_and_handed_over_as_one() {
    let mut shop = Shop::prepare_with(TICKETS, 4);
    shop.start_all();
    let lines: String = (0..300)
        .map(|id| format!("{{\"key\":\"t-{id:03}\",\"value\":\"v\"}}\n"))
        .collect();
    let mut import = shop.client(&["import", "-", "--format", "jsonl", "--keyspace", "tickets"]);
    finish(&mut import, lines.as_bytes()).ok();

    let count = ["count", "--keyspace", "tickets"];
    let counted = shop.run(&[&count[..], &["--output", "json"]].concat());
    let counted = counted.ok().json();
    assert_eq!(counted["keys"], 300);
    let shards = counted["shards"].as_array().unwrap();
    let keys = |shard: &Value| shard["keys"].as_u64().unwrap();
    assert_eq!(shards.len(), 4);
    assert_eq!(shards.iter().map(keys).sum::<u64>(), 300);
    assert!(shards.iter().all(|shard| keys(shard) > 0), "{counted}");
    assert!(shop.run(&count).ok().text().contains("300"));

    let scan = [
        "scan",
        "--keyspace",
        "tickets",
        "--prefix",
        "t-0",
        "--limit",
        "70",
    ];
    let scanned = shop.run(&[&scan[..], &["--output", "json"]].concat()).ok();
    let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].clone();
    let found: Vec<Value> = scanned.text().lines().map(key).collect();
    let expected: Vec<Value> = (0..70).map(|id| format!("t-{id:03}").into()).collect();
    assert_eq!(found, expected);

    let moved = shop.run(&["transfer", "tickets", "--to", "3", "--output", "json"]);
    let moved = moved.ok().json();
    let shards = moved["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 4);
    let leads = |group: &Value| {
        group["keyspace"] == "tickets" && group["role"] == "leader" && group["leader"] == 3
    };
    shop.until("node 3 leads every shard", |nodes| {
        let groups = nodes[2]["groups"].as_array().unwrap();
        groups.iter().filter(|group| leads(group)).count() == 4
    });
    let one = shop.run(&["transfer", "tickets", "--to", "1", "--shard", "2"]);
    assert!(one.ok().text().starts_with("tickets/2: node 1 leads"));
    let listed = shop.run(&["discarded", "tickets", "list"]).ok();
    assert!(listed.text().contains("No write waits"), "{listed:?}");
    let unclear = shop.run(&["discarded", "tickets", "acknowledge", "1@1"]);
    assert!(
        unclear.code != 0 && unclear.stderr.contains("--shard"),
        "{unclear:?}"
    );
    assert_eq!(shop.run(&count).ok().text().lines().count(), 6);
}
