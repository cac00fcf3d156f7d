//! Data through a cluster of three processes.

use std::fmt::Write as _;

use crate::support::{Shop, finish};

#[test]
fn values_go_in_and_come_out_byte_by_byte() {
    let shop = Shop::open();
    let put = shop
        .run(&["put", "--keyspace", "accounts", "alice", "10"])
        .ok();
    assert!(put.text().starts_with("OK at "), "{put:?}");
    let get = [
        "get",
        "--keyspace",
        "accounts",
        "alice",
        "--level",
        "leader",
    ];
    assert_eq!(shop.run(&get).ok().stdout, b"10");

    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let mut put = shop.client(&[
        "put",
        "--keyspace",
        "carts",
        "bytes",
        "-",
        "--output",
        "json",
    ]);
    let put = finish(&mut put, &bytes).ok().json();
    assert_eq!(put["durability"], "disk");
    assert!(put["copies"].as_u64().unwrap() >= 2);
    assert_eq!(
        shop.run(&["get", "--keyspace", "carts", "bytes"])
            .ok()
            .stdout,
        bytes
    );
    let json = shop
        .run(&["get", "--keyspace", "carts", "bytes", "--output", "json"])
        .ok()
        .json();
    assert!(json["value_base64"].is_string());

    shop.run(&["delete", "--keyspace", "accounts", "alice"])
        .ok();
    assert_eq!(shop.run(&get).code, 5);
}

#[test]
fn a_filter_shows_where_a_request_went() {
    let shop = Shop::open();
    let put = ["put", "--keyspace", "accounts", "alice", "10"];
    let run = shop.run(&put).ok();
    assert!(!run.stderr.contains("trace_id"), "{run:?}");
    let traced = [&put[..], &["--log", "repertoire::trace=debug"]].concat();
    let run = shop.run(&traced).ok();
    let line = run.stderr.lines().find(|line| line.contains("trace_id"));
    let line = line.unwrap_or_else(|| panic!("{run:?}"));
    for part in [
        "client{",
        "kind=\"write\"",
        "keyspace=\"accounts\"",
        "outcome=\"done\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn conditions_are_kept() {
    let shop = Shop::open();
    let put = |args: &[&str]| {
        let mut all = vec!["put", "--keyspace", "accounts"];
        all.extend(args);
        shop.run(&all).code
    };
    assert_eq!(put(&["k", "1", "--if-absent"]), 0);
    assert_eq!(put(&["k", "2", "--if-absent"]), 4);
    assert_eq!(put(&["k", "2", "--if-value", "1"]), 0);
    assert_eq!(put(&["k", "3", "--if-value", "1"]), 4);
}

#[test]
fn what_is_exported_can_be_imported() {
    let shop = Shop::open();
    let mut csv = "id,name,note\n".to_owned();
    for id in 0..5000 {
        writeln!(csv, "{id},name {id},\"a \"\"note\"\",\nof two lines\"").unwrap();
    }
    std::fs::write(shop.file("rows.csv"), csv).unwrap();
    let import = [
        "import",
        "rows.csv",
        "--key-column",
        "id",
        "--keyspace",
        "carts",
    ];
    let imported = shop
        .run(&[&import[..], &["--output", "json"]].concat())
        .ok()
        .json();
    assert_eq!(imported["rows"], 5000);

    // From four shards to one, by JSON lines over standard input.
    let lines = shop
        .run(&["export", "--keyspace", "carts", "--format", "jsonl"])
        .ok();
    assert_eq!(lines.text().lines().count(), 5000);
    let mut import = shop.client(&["import", "-", "--format", "jsonl", "--keyspace", "accounts"]);
    finish(&mut import, &lines.stdout).ok();

    // Then as CSV, from each node, which must all have the same.
    let export = ["export", "--keyspace", "accounts"];
    let leader = shop.run(&export).ok().stdout;
    shop.until("the followers have what the leader has", |nodes| {
        let group = |node: &serde_json::Value| {
            let groups = node["groups"].as_array().cloned().unwrap_or_default();
            groups
                .into_iter()
                .find(|group| group["keyspace"] == "accounts")
                .unwrap_or_default()
        };
        let applied: Vec<_> = nodes
            .iter()
            .map(|node| group(node)["applied_lsn"].clone())
            .collect();
        applied.len() == 3 && applied.windows(2).all(|pair| pair[0] == pair[1])
    });
    for node in ["1", "2", "3"] {
        let local = [&export[..], &["--level", "local", "--node", node]].concat();
        assert!(
            shop.run(&local).ok().stdout == leader,
            "node {node} has other rows"
        );
    }
    let scan = [
        "scan",
        "--keyspace",
        "accounts",
        "--prefix",
        "499",
        "--output",
        "json",
    ];
    let rows = shop.run(&scan).ok();
    assert_eq!(rows.text().lines().count(), 11, "499 and 4990 to 4999");
    let row: serde_json::Value = serde_json::from_str(rows.text().lines().next().unwrap()).unwrap();
    assert_eq!(row["key"], "499");
    let value: serde_json::Value = serde_json::from_str(row["value"].as_str().unwrap()).unwrap();
    assert_eq!(value["note"], "a \"note\",\nof two lines");
}

#[test]
fn the_cluster_tells_of_itself() {
    let mut shop = Shop::open();
    let nodes = shop.run(&["nodes", "--output", "json"]).ok().json();
    let addresses: Vec<_> = (1..=3).map(|id| shop.address(id)).collect();
    let told = nodes["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["address"].clone());
    assert_eq!(told.collect::<Vec<_>>(), addresses);
    let keyspaces = shop.run(&["keyspace", "list"]).ok();
    for name in ["catalogue", "accounts", "carts"] {
        assert!(keyspaces.text().contains(name), "{keyspaces:?}");
    }
    let carts = shop
        .run(&["keyspace", "show", "carts", "--output", "json"])
        .ok()
        .json();
    assert_eq!(carts["placement"]["shards"].as_object().unwrap().len(), 4);

    assert!(
        shop.terminate(3).success(),
        "a node that is asked to stop ends well"
    );
    let status = shop
        .run(&["status", "--output", "json", "--deadline", "1s"])
        .ok()
        .json();
    assert_eq!(status["nodes"][2]["reachable"], false);
    let only = shop.run(&["status", "--node", "3", "--deadline", "1s"]);
    assert_eq!(only.code, 3, "{only:?}");
}
