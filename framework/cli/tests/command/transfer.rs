//! `transfer`: leaders changed as an operator wishes, while clients write.

use crate::support::Shop;

#[test]
fn a_leader_hands_over_and_nothing_acknowledged_is_lost() {
    let shop = Shop::open();
    let put = |key: &str| {
        shop.run(&["put", "--keyspace", "orders", key, "v"]).ok();
    };
    put("k0");
    for (key, to) in [("k1", "2"), ("k2", "3"), ("k3", "1")] {
        let moved = shop.run(&["transfer", "orders", "--to", to, "--output", "json"]);
        let moved = moved.ok().json();
        assert_eq!(moved["to"].to_string(), to, "{moved}");
        put(key);
    }
    let again = shop.run(&["transfer", "orders", "--to", "1"]).ok();
    assert!(again.text().contains("as it did before"), "{again:?}");
    for key in ["k0", "k1", "k2", "k3"] {
        let got = shop.run(&["get", "--keyspace", "orders", key, "--level", "leader"]);
        assert_eq!(got.ok().stdout, b"v", "{key}");
    }
}

#[test]
fn wishes_that_cannot_come_true_are_refused_with_a_reason() {
    let shop = Shop::open();
    let fixed = shop.run(&["transfer", "accounts", "--to", "2"]);
    assert!(
        fixed.code == 1 && fixed.stderr.contains("fixed"),
        "{fixed:?}"
    );
    let stranger = shop.run(&["transfer", "orders", "--to", "9"]);
    assert!(
        stranger.code == 1 && stranger.stderr.contains("no replica that may lead"),
        "{stranger:?}"
    );
    let unknown = shop.run(&["transfer", "nothing", "--to", "2", "--deadline", "1s"]);
    assert!(unknown.code != 0, "{unknown:?}");
}
