//! The programs that people use with Redis: redis-cli, redis-benchmark, redis-py.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::process::Command;

use support::{Ours, has, python};

fn run(program: &str, port: &str, args: &[&str]) -> String {
    let run = Command::new(program)
        .args(["-p", port])
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{program} {args:?}: {said}{complained}"
    );
    said
}

#[test]
fn redis_cli_talks_to_it() {
    if !has("redis-cli", &["--version"], "redis-cli") {
        return;
    }
    let ours = Ours::quick();
    let port = ours.address.port().to_string();
    for version in ["-2", "-3"] {
        let cli = |args: &[&str]| run("redis-cli", &port, &[&[version], args].concat());
        assert_eq!(cli(&["set", "k", "a b"]), "OK\n");
        assert_eq!(cli(&["get", "k"]), "a b\n");
        assert_eq!(cli(&["-n", "1", "exists", "k"]), "0\n");
        assert_eq!(cli(&["--scan", "--pattern", "k*"]), "k\n");
        assert!(cli(&["info", "replication"]).contains("connected_slaves:2"));
        assert!(cli(&["get"]).starts_with("ERR wrong number of arguments"));
    }
}

#[test]
fn redis_benchmark_runs_against_it() {
    if !has("redis-benchmark", &["--version"], "redis-benchmark") {
        return;
    }
    let ours = Ours::quick();
    let port = ours.address.port().to_string();
    let tests = "ping_inline,ping_mbulk,set,get,incr,sadd,mset";
    let said = run(
        "redis-benchmark",
        &port,
        &["-t", tests, "-n", "5000", "-P", "16", "-r", "1000", "-q"],
    );
    let done = said.matches("requests per second").count();
    assert_eq!(done, 7, "{said}");
    assert!(!said.contains("Error"), "{said}");
}

#[test]
fn redis_py_talks_to_it() {
    if !python() {
        return;
    }
    let ours = Ours::quick();
    let port = ours.address.port().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis_py.py");
    let run = Command::new("python3")
        .args([script, &port])
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{complained}");
}
