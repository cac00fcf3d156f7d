//! `member`: nodes join, come back on a fresh disk, and leave, as processes of their own.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Run, Shop, command, run};

/// A cluster whose leaders are elected wherever a node goes that may lead.
fn electing() -> Shop {
    let mut shop = Shop::prepare();
    for id in 1..=3 {
        let file = shop.file(&format!("node-{id}.toml"));
        let text = std::fs::read_to_string(&file).unwrap();
        let elects = "shards = 4\nsingle-leader = { failover = \"elect\" }\n";
        std::fs::write(file, text.replace("shards = 4\n", elects)).unwrap();
    }
    shop.start_all();
    shop
}

/// A node that the cluster was not founded with.
struct Fourth {
    address: String,
    child: Child,
}

impl Drop for Fourth {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration of node 1, of another node that joins.
fn join(shop: &Shop) -> Fourth {
    let at = shop.folder();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let first = std::fs::read_to_string(at.join("node-1.toml")).unwrap();
    let (_, shared) = first.split_once("[cluster]").unwrap();
    let own = format!(
        "[node]\nid = 4\nlisten = \"{address}\"\ndata = \"data/4\"\njoins = true\n\
         [tls]\nca = \"certs/ca.pem\"\ncert = \"certs/node-4.pem\"\nkey = \"certs/node-4.key\"\n[cluster]"
    );
    std::fs::write(at.join("node-4.toml"), own + shared).unwrap();
    run(at, &["cert", "node", "4", "--cluster", "shop"]).ok();
    run(at, &["format", "--config", "node-4.toml"]).ok();
    Fourth {
        child: serve(shop, "node-4.toml"),
        address,
    }
}

fn serve(shop: &Shop, config: &str) -> Child {
    let mut command = command(shop.folder());
    command.args([
        "serve", "--config", config, "--output", "json", "--log", "error",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let told = child.stdout.take().unwrap();
    BufReader::new(told).read_line(&mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    child
}

fn member(shop: &Shop, args: &[&str]) -> Run {
    shop.run(&[&["member", "--output", "json", "--patience", "1m"], args].concat())
}

/// The voters of every group, as the leaders say.
fn voters(shop: &Shop) -> Vec<Vec<u64>> {
    let listed = member(shop, &["list"]).ok().json();
    let of = |group: &Value| {
        assert_eq!(group["joining"].as_array().unwrap().len(), 0, "{group}");
        let voters = group["voters"].as_array().unwrap().iter();
        let mut voters: Vec<u64> = voters.map(|node| node.as_u64().unwrap()).collect();
        voters.sort_unstable();
        voters
    };
    let mut all: Vec<_> = listed["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect();
    all.dedup();
    all
}

#[test]
fn a_node_joins_another_loses_its_disk_and_comes_back_and_one_leaves() {
    let mut shop = electing();
    shop.run(&["put", "--keyspace", "orders", "before", "1"])
        .ok();
    let mut fourth = join(&shop);
    let address = fourth.address.clone();
    let added = member(&shop, &["add", "4", "--address", &address]);
    assert_eq!(added.ok().json()["groups"].as_array().unwrap().len(), 7);
    assert_eq!(voters(&shop), [[1, 2, 3, 4]]);
    let local = |node: &str, key: &str| {
        let args = [
            "get",
            "--keyspace",
            "orders",
            key,
            "--level",
            "local",
            "--node",
            node,
        ];
        shop.run(&args)
    };
    assert_eq!(local("4", "before").ok().stdout, b"1");

    // It is a member after `kill -9`, too.
    fourth.child.kill().unwrap();
    fourth.child.wait().unwrap();
    fourth.child = serve(&shop, "node-4.toml");
    shop.run(&[
        "put",
        "--keyspace",
        "orders",
        "after",
        "2",
        "--acks",
        "sync",
    ])
    .ok();
    assert_eq!(local("4", "after").ok().stdout, b"2");

    // Node 3 loses its disk: an empty one under its name counts for nothing before it was added again.
    shop.kill(3);
    std::fs::remove_dir_all(shop.file("data/3")).unwrap();
    run(shop.folder(), &["format", "--config", "node-3.toml"]).ok();
    let third = shop.address(3);
    let gone = member(&shop, &["decommission", "3"]).ok().json();
    assert_eq!(gone["groups"].as_array().unwrap().len(), 7);
    assert_eq!(voters(&shop), [[1, 2, 4]]);
    shop.start(3);
    let other = member(&shop, &["add", "4", "--address", &third]);
    assert!(
        other.code == 1 && other.stderr.contains("node-3"),
        "{other:?}"
    );
    member(&shop, &["add", "3", "--address", &third]).ok();
    assert_eq!(voters(&shop), [[1, 2, 3, 4]]);
    shop.run(&["put", "--keyspace", "orders", "back", "3", "--acks", "sync"])
        .ok();

    member(&shop, &["decommission", "4"]).ok();
    let nodes = shop.run(&["nodes", "--output", "json"]).ok().json();
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 3, "{nodes}");
    assert_eq!(voters(&shop), [[1, 2, 3]]);
    for (key, value) in [("before", b"1"), ("after", b"2"), ("back", b"3")] {
        let found = shop.run(&["get", "--keyspace", "orders", key]).ok();
        assert_eq!(found.stdout, value, "{key}");
    }
}

#[test]
fn changes_that_cannot_be_are_refused_with_a_reason() {
    let shop = Shop::open();
    let unknown = member(&shop, &["remove", "3", "--keyspace", "nowhere"]);
    assert_eq!(unknown.code, 5, "{unknown:?}");
    let catalogue = member(&shop, &["remove", "3", "--keyspace", "catalogue"]);
    assert!(catalogue.stderr.contains("decommission"), "{catalogue:?}");
    let founder = member(&shop, &["add", "2", "--address", &shop.address(2)]);
    assert!(
        founder.code == 1 && founder.stderr.contains("founded"),
        "{founder:?}"
    );
    let nobody = member(&shop, &["add", "9", "--address", "127.0.0.1:1"]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
    let itself = member(
        &shop,
        &["replace", "2", "--by", "2", "--address", &shop.address(2)],
    );
    assert_eq!(itself.code, 1, "{itself:?}");
    let nothing = shop.run(&["member", "remove", "3"]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    // Its leader is fixed: nobody could take its place.
    let fixed = member(&shop, &["remove", "1", "--keyspace", "accounts"]);
    assert!(
        fixed.code == 1 && fixed.stderr.contains("fixed"),
        "{fixed:?}"
    );
    assert_eq!(voters(&shop), [[1, 2, 3]]);
}
