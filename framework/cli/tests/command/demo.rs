//! The demo, small.

use serde_json::Value;

use crate::support::{command, finish, run};

#[test]
fn the_demo_holds_its_promises_and_says_so_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let demo = run(
        folder.path(),
        &["demo", "--output", "json", "--rows", "5000"],
    );
    let report = demo.json();
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    assert_eq!(report["ok"], true);
    assert!(report["seconds"].as_f64().unwrap() < 60.0);
    let keyspaces = report["keyspaces"].as_array().unwrap();
    let acks: Vec<_> = keyspaces
        .iter()
        .map(|keyspace| keyspace["acks"].as_str().unwrap())
        .collect();
    assert_eq!(acks, ["async", "semi-sync(1)", "sync", "majority", "async"]);
    for keyspace in keyspaces {
        assert_eq!(keyspace["digest_equal"], true, "{keyspace}");
        for field in ["name", "protocol", "log_format", "engine"] {
            assert!(keyspace[field].is_string(), "{field} of {keyspace}");
        }
        assert!(keyspace.get("resolver").is_some());
    }
    let rows: u64 = keyspaces
        .iter()
        .map(|keyspace| keyspace["rows"].as_u64().unwrap())
        .sum();
    assert!(rows >= 5000);
    assert!(report["catch_up"]["records"].as_u64().unwrap() > 0);
    assert!(report["catch_up"]["seconds"].as_f64().unwrap() > 0.0);
    assert_leader_replaced(&report["failover"]);
}

fn assert_leader_replaced(failover: &Value) {
    assert!(
        (1..=3).contains(&failover["node"].as_u64().unwrap()),
        "{failover}"
    );
    assert!(failover["rate_per_second"].as_u64().unwrap() >= 1000);
    let unavailable = failover["unavailable_ms"].as_f64().unwrap();
    assert!(unavailable > 0.0 && unavailable <= 5000.0, "{failover}");
    assert_eq!(failover["is_goal_met"], unavailable <= 1000.0, "{failover}");
    assert_eq!(failover["lost_acknowledged"], 0, "{failover}");
    for writes in [failover, &failover["async"]] {
        assert!(writes["acknowledged"].as_u64().unwrap() > 0, "{failover}");
        assert_eq!(writes["digests_equal"], true, "{failover}");
        let keys = writes["lost_keys"].as_array().unwrap();
        assert_eq!(writes["lost_acknowledged"], keys.len(), "{failover}");
        assert_eq!(writes["lost_listed"], keys.len(), "{failover}");
        assert!(keys.iter().all(Value::is_string), "{failover}");
    }
}

#[test]
fn a_demo_that_cannot_be_played_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command(folder.path());
    demo.env("TMPDIR", folder.path().join("none"));
    let demo = finish(demo.args(["demo", "--output", "json"]), b"");
    assert_eq!(demo.code, 1, "{demo:?}");
    assert_eq!(demo.json()["ok"], false);
    assert!(
        demo.json()["error"]
            .as_str()
            .unwrap()
            .contains("make a folder"),
        "{demo:?}"
    );
}
