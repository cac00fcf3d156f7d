//! What the database keeps: data and expiries over a restart, deletes at followers, copies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::{Ours, options, until};

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

/// Keys that a node holds of database 0, expired ones included.
fn keys_at(ours: &mut Ours, node: u64) -> u64 {
    let status = ours.status(node);
    let groups = status["groups"].as_array().unwrap();
    let db0 = groups.iter().find(|group| group["keyspace"] == "db0");
    db0.unwrap()["keys"].as_u64().unwrap()
}

#[test]
fn a_restart_keeps_values_and_expiries() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Ours::start(options(Some(folder.path())));
    let mut wire = ours.connect();
    assert_eq!(wire.say("SET plain v"), "OK");
    assert_eq!(wire.say("SET long v EX 1000"), "OK");
    assert_eq!(wire.say("SADD set a b"), "2");
    assert_eq!(wire.say("INCRBY n 42"), "42");
    let due = now_ms() + 500;
    assert_eq!(wire.say("SET short v PX 500"), "OK");
    assert_eq!(wire.say("SELECT 1"), "OK");
    assert_eq!(wire.say("SET other v"), "OK");
    drop(wire);
    ours.stop();
    until("the expiry, while nobody is there", || now_ms() > due);

    let ours = Ours::start(options(Some(folder.path())));
    let mut wire = ours.connect();
    assert_eq!(
        wire.say("GET short"),
        "(nil)",
        "a reader never sees what expired"
    );
    assert_eq!(wire.say("GET plain"), "v");
    assert_eq!(wire.say("TTL plain"), "-1");
    let left = wire.ask("TTL long").int();
    assert!((900..=1000).contains(&left), "{left}");
    assert_eq!(wire.ask("SMEMBERS set").items(), ["a", "b"]);
    assert_eq!(wire.say("INCR n"), "43");
    until("the leader's delete", || wire.say("DBSIZE") == "4");
    assert_eq!(wire.say("SELECT 1"), "OK");
    assert_eq!(wire.say("GET other"), "v");
    drop(wire);
    ours.stop();
}

#[test]
fn a_follower_holds_the_deletes_of_the_leader_and_makes_none_itself() {
    let mut ours = Ours::quick();
    let mut wire = ours.connect();
    assert_eq!(wire.say("SET gone v PX 200"), "OK");
    assert_eq!(wire.say("SET stays v"), "OK");
    for node in [1, 2, 3] {
        until("the delete", || keys_at(&mut ours, node) == 1);
    }
    // A key that is on every node, and due when there is no leader.
    let due = now_ms() + 1500;
    assert_eq!(wire.say("SET held v PX 1500"), "OK");
    for node in [2, 3] {
        until("the key", || keys_at(&mut ours, node) == 2);
    }
    assert!(now_ms() < due, "the machine is too slow for this test");
    drop(wire);
    ours.stop_node(1);
    until("the expiry, without a leader", || now_ms() > due + 300);
    assert_eq!((keys_at(&mut ours, 2), keys_at(&mut ours, 3)), (2, 2));
}

#[test]
fn a_follower_answers_readonly_connections_with_what_they_wrote() {
    let ours = Ours::quick();
    let mut wire = ours.connect();
    assert_eq!(wire.say("READONLY"), "OK");
    for i in 0..200 {
        assert_eq!(wire.say(&format!("SET k {i}")), "OK");
        assert_eq!(wire.say("GET k"), i.to_string());
    }
    assert_eq!(wire.say("SET k v PX 1"), "OK");
    until("the expiry", || wire.say("GET k") == "(nil)");
    assert_eq!(wire.say("READWRITE"), "OK");
    assert_eq!(wire.say("GET k"), "(nil)");
}

#[test]
fn wait_counts_the_followers_that_hold_the_write() {
    let mut ours = Ours::start(options(None));
    let mut wire = ours.connect();
    assert_eq!(wire.say("WAIT 0 100"), "2", "both are there");
    assert_eq!(wire.say("SET k v"), "OK");
    assert!(wire.ask("WAIT 1 10000").int() >= 1);
    assert_eq!(wire.say("WAIT 2 10000"), "2");

    ours.stop_node(3);
    assert_eq!(wire.say("SET k w"), "OK");
    let begun = Instant::now();
    assert_eq!(wire.say("WAIT 2 300"), "1");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(wire.say("WAIT 1 300"), "1");

    ours.start_node(3);
    assert_eq!(wire.say("WAIT 2 30000"), "2");
}

#[test]
fn increments_of_many_connections_all_count() {
    let ours = Ours::quick();
    let address = ours.address;
    let adders: Vec<_> = (0..20)
        .map(|_| {
            std::thread::spawn(move || {
                let mut wire = support::Wire::connect(address);
                let request = support::encode(&[b"INCR", b"n"]).repeat(250);
                for _ in 0..4 {
                    wire.raw(&request);
                    let mut last = 0;
                    for _ in 0..250 {
                        let next = wire.reply().int();
                        assert!(next > last, "{next} after {last}");
                        last = next;
                    }
                }
            })
        })
        .collect();
    for adder in adders {
        adder.join().unwrap();
    }
    assert_eq!(ours.connect().say("GET n"), "20000");
}
