//! What holds for every verb, and the verbs that need no cluster.

use crate::support::{command, finish, run};

#[test]
fn the_command_line_is_explained_and_mistakes_in_it_are_usage() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let help = run(at, &["--help"]).ok();
    assert!(help.text().contains("Exit codes") && help.text().contains("demo"));
    for args in [
        &["nonsense"][..],
        &["get"],
        &["demo", "--rows", "few"],
        &["sim", "--seeds", "0"],
    ] {
        let wrong = run(at, args);
        assert_eq!(
            (wrong.code, wrong.stdout.len()),
            (2, 0),
            "{args:?}: {wrong:?}"
        );
    }
    let acks = run(
        at,
        &["put", "--keyspace", "a", "k", "v", "--acks", "quorum"],
    );
    assert!(
        acks.code == 2 && acks.stderr.contains("majority"),
        "{acks:?}"
    );
}

#[test]
fn completions_and_manual_pages_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run(at, &["completions", shell])
                .ok()
                .text()
                .contains("repertoire")
        );
    }
    assert!(run(at, &["man"]).ok().text().contains(".TH repertoire"));
    run(at, &["man", "--folder", "man"]).ok();
    assert!(at.join("man/repertoire-demo.1").exists());
}

#[test]
fn a_sample_configuration_is_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let sample = run(at, &["config", "sample"]).ok();
    std::fs::write(at.join("node.toml"), &sample.stdout).unwrap();
    run(
        at,
        &["config", "check", "--config", "node.toml", "--no-files"],
    )
    .ok();
    let missing = run(at, &["config", "check", "--config", "node.toml"]);
    assert!(
        missing.code == 1 && missing.stderr.contains("tls.ca"),
        "{missing:?}"
    );
    let listen = [
        "--listen",
        "127.0.0.1:9999",
        "--set",
        "log.segment_bytes=8388608",
    ];
    let print = ["config", "print", "--effective", "--config", "node.toml"];
    let effective = run(at, &[&print[..], &listen[..]].concat()).ok();
    let has = |text| effective.text().contains(text);
    assert!(
        has("127.0.0.1:9999") && has("flag --listen") && has("8388608"),
        "{effective:?}"
    );
    let fields = run(at, &["config", "fields", "--output", "json"])
        .ok()
        .json();
    assert!(fields["fields"].as_array().unwrap().len() > 20);
}

#[test]
fn flags_can_be_set_as_variables() {
    let folder = tempfile::tempdir().unwrap();
    let mut fields = command(folder.path());
    fields
        .env("REPERTOIRE_OUTPUT", "json")
        .args(["config", "fields"]);
    assert!(finish(&mut fields, b"").ok().json()["fields"].is_array());
}

#[cfg(unix)]
#[test]
fn private_keys_are_private_and_nothing_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    run(at, &["cert", "ca", "--cluster", "shop"]).ok();
    run(at, &["cert", "client", "--cluster", "shop"]).ok();
    for key in ["certs/ca.key", "certs/client.key", "certs/token.key"] {
        let mode = at.join(key).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let before = std::fs::read(at.join("certs/ca.pem")).unwrap();
    assert_eq!(run(at, &["cert", "ca", "--cluster", "shop"]).code, 1);
    assert_eq!(std::fs::read(at.join("certs/ca.pem")).unwrap(), before);
    assert_eq!(run(at, &["cert", "token"]).code, 1, "it is there already");
    let other = run(at, &["cert", "node", "1", "--cluster", "other"]);
    assert_eq!(other.code, 1, "{other:?}");
}

#[test]
fn a_simulation_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let sim = [
        "sim",
        "--seeds",
        "2",
        "--seed",
        "5",
        "--steps-per-seed",
        "2000",
        "--output",
        "json",
    ];
    let first = run(folder.path(), &sim).ok().json();
    let again = run(folder.path(), &[&sim[..], &["--threads", "1"]].concat())
        .ok()
        .json();
    assert_eq!(first["trace_hash"], again["trace_hash"]);
    assert_eq!(first["seeds"], 2);
    assert_eq!(first["violations"].as_array().unwrap().len(), 0, "{first}");
    // As the command that a violation prints may have it.
    let mixed = ["sim", "--seeds", "1", "--steps-per-seed", "500", "--mixed"];
    run(folder.path(), &mixed).ok();
    let unknown = run(folder.path(), &["sim", "--protocol", "gossip"]);
    assert!(
        unknown.code == 2 && unknown.stderr.contains("single-leader"),
        "{unknown:?}"
    );
}
