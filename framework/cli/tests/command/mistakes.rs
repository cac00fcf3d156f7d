//! Bad input: one message that says what to do, and the right exit code.

use crate::support::{Run, Shop, finish, run};

/// One message of one line, and nothing on standard output.
fn assert_told(wrong: &Run, code: i32, words: &[&str]) {
    assert_eq!(wrong.code, code, "{wrong:?}");
    assert!(wrong.stdout.is_empty(), "{wrong:?}");
    let errors = wrong
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{wrong:?}");
    for word in words {
        assert!(wrong.stderr.contains(word), "no {word:?} in {wrong:?}");
    }
}

#[test]
fn a_broken_configuration_names_file_key_and_remedy() {
    let shop = Shop::prepare();
    let text = std::fs::read_to_string(shop.file("node-1.toml")).unwrap();
    let serve = |text: &str, flags: &[&str]| {
        std::fs::write(shop.file("broken.toml"), text).unwrap();
        run(
            shop.folder(),
            &[&["serve", "--config", "broken.toml"], flags].concat(),
        )
    };
    let typo = serve(&text.replace("segment_bytes", "segmnt_bytes"), &[]);
    assert_told(
        &typo,
        1,
        &["broken.toml", "log.segmnt_bytes", "write `segment_bytes`"],
    );
    let engine = serve(&text.replace("shards = 4", "engine = \"memry\""), &[]);
    assert_told(&engine, 1, &["keyspace.carts.engine", "memory"]);
    assert_told(&serve("[node", &[]), 1, &["broken.toml", "line 1"]);
    assert_told(
        &run(shop.folder(), &["serve", "--config", "none.toml"]),
        1,
        &["none.toml"],
    );
    let json = serve(
        &text.replace("segment_bytes", "segmnt_bytes"),
        &["--output", "json"],
    );
    let told: serde_json::Value = serde_json::from_str(json.stderr.trim()).unwrap();
    assert_eq!(told["error"]["code"], "RPT-0016");
    assert_eq!(told["error"]["exit"], 1);
}

#[test]
fn a_wrong_data_folder_is_refused() {
    let shop = Shop::prepare();
    let node = |verb: &'static str, data: &str| {
        run(
            shop.folder(),
            &[verb, "--config", "node-1.toml", "--data", data],
        )
    };
    assert_told(&node("format", "data/1"), 1, &["data/1", "not empty"]);
    assert_told(
        &node("serve", "data/new"),
        1,
        &["data/new", "repertoire format"],
    );
    assert_told(&node("serve", "data/2"), 1, &["node-1.shop", "node-2.shop"]);
    // Nobody can make a folder inside of a file, not even the superuser.
    let unwritable = node("format", "node-1.toml/data");
    assert_told(&unwritable, 1, &["node.data", "choose a folder"]);
}

#[test]
fn a_folder_in_use_and_a_busy_port_are_told_apart() {
    let mut shop = Shop::prepare();
    shop.start(1);
    let again = run(shop.folder(), &["serve", "--config", "node-1.toml"]);
    assert_told(&again, 6, &["in use", "another process uses this folder"]);
    let serve = ["--config", "node-1.toml", "--data", "data/other"];
    run(shop.folder(), &[&["format"], &serve[..]].concat()).ok();
    let busy = run(shop.folder(), &[&["serve"], &serve[..]].concat());
    assert_told(&busy, 1, &[&shop.address(1), "node.listen"]);
}

#[test]
fn wrong_certificates_are_refused() {
    let mut shop = Shop::prepare();
    shop.start(1);
    let at = shop.folder();
    run(
        at,
        &["cert", "ca", "--cluster", "shop", "--folder", "forged"],
    )
    .ok();
    run(
        at,
        &["cert", "client", "--cluster", "shop", "--folder", "forged"],
    )
    .ok();
    let get = |flags: &[&str]| shop.run(&[&["get", "--keyspace", "accounts", "k"], flags].concat());
    let forged = get(&["--cert", "forged/client.pem", "--key", "forged/client.key"]);
    assert_told(&forged, 1, &["RPT-0022", "check the certificate"]);
    assert_told(&get(&["--ca", "forged/ca.pem"]), 1, &["RPT-0022"]);
    assert_told(&get(&["--key", "forged/client.key"]), 1, &["KeyMismatch"]);
    assert_told(&get(&["--cert", "none.pem"]), 1, &["none.pem", "tls.cert"]);
}

#[test]
fn what_is_too_large_or_unknown_is_told() {
    let shop = Shop::open();
    let long = "k".repeat(5000);
    let put = shop.run(&["put", "--keyspace", "accounts", &long, "v"]);
    assert_told(&put, 1, &["too large: 5000 bytes, at most 4096"]);
    assert_told(
        &shop.run(&["get", "--keyspace", "accounts", &long]),
        1,
        &["at most 4096"],
    );
    for bytes in [600_000, 2_000_000] {
        let mut put = shop.client(&["put", "--keyspace", "carts", "k", "-"]);
        assert_told(
            &finish(&mut put, &vec![0; bytes]),
            1,
            &["too large", "at most"],
        );
    }
    let unknown = shop.run(&["get", "--keyspace", "cart", "k"]);
    assert_told(&unknown, 5, &["unknown keyspace", "carts"]);
    assert_told(
        &shop.run(&["get", "--keyspace", "carts", "k"]),
        5,
        &["no value under"],
    );
    assert_told(&shop.run(&["status", "--node", "9"]), 5, &["no node 9"]);
}

#[test]
fn nobody_there_is_unavailable() {
    let shop = Shop::prepare();
    let get = shop.run(&["get", "--keyspace", "carts", "k", "--deadline", "300ms"]);
    assert_told(&get, 3, &["RPT-0002", "did not answer"]);
}

#[test]
fn a_file_with_a_wrong_row_says_which() {
    let shop = Shop::open();
    std::fs::write(
        shop.file("rows.jsonl"),
        "{\"key\":\"a\",\"value\":\"1\"}\n{\"k\":2}\n",
    )
    .unwrap();
    let wrong = shop.run(&["import", "rows.jsonl", "--keyspace", "carts"]);
    assert_told(&wrong, 1, &["line 2", "\"key\""]);
    assert_eq!(
        shop.run(&["get", "--keyspace", "carts", "a"]).ok().stdout,
        b"1"
    );
    let csv = shop.run(&["import", "rows.unknown", "--keyspace", "carts"]);
    assert_told(&csv, 2, &["--format"]);
}
