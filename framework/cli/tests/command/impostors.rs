//! A second process under the name of a node: it is told why nobody talks to it, and does no harm.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::Stdio;

use crate::support::{Shop, command, finish, run};

#[test]
fn a_second_node_of_the_same_id_is_refused_and_the_first_one_goes_on() {
    let mut shop = Shop::open();
    let put = |shop: &Shop, key: &str| shop.run(&["put", "--keyspace", "accounts", key, "v"]);
    put(&shop, "before").ok();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let place = ["--config", "node-1.toml", "--data", "data/second"];
    run(shop.folder(), &[&["format"], &place[..]].concat()).ok();
    let mut second = command(shop.folder());
    second.args([&["serve"], &place[..], &["--listen", &address]].concat());
    let mut second = second
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Node 1 dials the others: each says why it is not let in.
    let log = BufReader::new(second.stderr.take().unwrap());
    let refusals = log.lines().map_while(Result::ok);
    let mut refusals = refusals.filter(|line| line.contains("connected with another disk"));
    assert!(refusals.next().is_some(), "it was never told");
    std::thread::spawn(move || refusals.count());

    // It leads a keyspace by its descriptor, and has nobody to acknowledge with.
    let mut alone = command(shop.folder());
    alone.env("REPERTOIRE_CONNECT", &address);
    alone.args(["put", "--keyspace", "accounts", "alone", "v"]);
    alone.args(["--deadline", "1s"]);
    let alone = finish(&mut alone, b"");
    assert_ne!(alone.code, 0, "{alone:?}");
    put(&shop, "meanwhile").ok();

    // The first one is who it was, after `kill -9`, too.
    shop.kill(1);
    second.kill().unwrap();
    second.wait().unwrap();
    shop.start(1);
    put(&shop, "after").ok();
    for key in ["before", "meanwhile", "after"] {
        let found = shop.run(&["get", "--keyspace", "accounts", key]).ok();
        assert_eq!(found.stdout, b"v", "{key}");
    }
    let lost = shop.run(&["get", "--keyspace", "accounts", "alone"]);
    assert_eq!(lost.code, 5, "{lost:?}");
}
