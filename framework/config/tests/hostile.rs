//! No input panics, and every message stays short and on one line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use repertoire_config::Config;

const GOOD: &str = r#"
[node]
id = 1
data = "data/1"
listen = "127.0.0.1:1"
[tls]
ca = "a"
cert = "b"
key = "c"
[cluster]
name = "shop"
nodes = { 1 = "127.0.0.1:1", 2 = "127.0.0.1:2" }
sites = { 1 = "paris" }
[keyspace.accounts]
acks = { semi-sync = 1 }
nodes = [1, 2]
single-leader = { acks = "async", a = [1, { b = 2.5 }] }
[log]
capacity_bytes = "unlimited"
[transport]
mtu = 1452
"#;

fn survive(text: &str, environment: &[(String, String)], flags: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    match Config::load(&[&path], environment, flags) {
        Ok(config) => {
            let printed = config.render_effective();
            let again = Config::parse(&path, &printed);
            assert!(
                again.is_ok() || printed.contains("[not shown]"),
                "{printed}\n{again:?}"
            );
            let _ = (
                config.descriptors(),
                config.warnings(),
                config.config_digest(),
            );
        }
        Err(errors) => {
            for problem in errors.problems() {
                let text = problem.to_string();
                let start: String = text.chars().take(400).collect();
                assert!(text.len() < 4000 && !text.contains('\n'), "{start}");
            }
            let _ = repertoire_core::Error::from(errors).to_string();
        }
    }
}

/// Values that settings do not expect.
fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("9223372036854775807".to_owned()),
        Just("-1".to_owned()),
        Just("nan".to_owned()),
        Just("1e400".to_owned()),
        Just("2024-01-01T00:00:00Z".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        Just("[[[[]]]]".to_owned()),
        Just("{ a = { b = { c = [] } } }".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        ".{0,20}".prop_map(|text| format!("{text:?}")),
    ]
}

fn known_keys() -> Vec<String> {
    let concrete = |key: &str| {
        key.replace("<name>", "accounts")
            .replace("<id>", "1")
            .replace("<plug-in>", "single-leader")
    };
    let fields = repertoire_config::fields().iter();
    fields.map(|field| concrete(field.key)).collect()
}

fn odd_key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(known_keys()),
        "[a-z_]{0,8}(\\.[a-z_]{0,8}){0,3}",
        Just("keyspace.accounts.single-leader.acks".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        survive(&text, &[], &[]);
    }

    #[test]
    fn a_good_file_with_a_line_replaced(line in 0..25_usize, with in "[-a-z_0-9.\\[\\]{}=\", \n]{0,40}") {
        let lines: Vec<&str> = GOOD.lines().enumerate()
            .map(|(number, text)| if number == line { with.as_str() } else { text })
            .collect();
        survive(&lines.join("\n"), &[], &[]);
    }

    #[test]
    fn a_good_file_with_odd_overrides(pairs in prop::collection::vec((odd_key(), odd_value()), 0..4)) {
        let variable = |key: &str| format!("REPERTOIRE_CONFIG__{}", key.replace('.', "__").to_uppercase());
        let environment: Vec<_> = pairs.iter().map(|(key, value)| (variable(key), value.clone())).collect();
        survive(GOOD, &environment, &[]);
        survive(GOOD, &[], &pairs);
    }
}

#[test]
fn depth_and_size_are_bounded() {
    survive(&format!("a = {}", "[".repeat(200_000)), &[], &[]);
    survive(
        &format!("a = {}{}", "[".repeat(70), "]".repeat(70)),
        &[],
        &[],
    );
    survive(&format!("{}b = 1", "a.".repeat(50_000)), &[], &[]);
    survive(&format!("[{}b]", "a.".repeat(50_000)), &[], &[]);
    let nested = format!("{GOOD}\n[keyspace.x.memory]\n{}b = 1", "a.".repeat(60));
    survive(&nested, &[], &[]);
    let value = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    survive(
        GOOD,
        &[(
            "REPERTOIRE_CONFIG__KEYSPACE__ACCOUNTS__ACKS".to_owned(),
            value,
        )],
        &[],
    );
    for key in [".".repeat(100_000), "a.".repeat(100_000)] {
        let variable = format!("REPERTOIRE_CONFIG__{}", key.replace('.', "__"));
        survive(GOOD, &[(variable, "1".to_owned())], &[]);
        survive(GOOD, &[], &[(key, "1".to_owned())]);
    }
    let many: Vec<String> = (0..5000).map(|n| format!("k{n} = 1")).collect();
    survive(&many.join("\n"), &[], &[]);
    survive(&"#".repeat(5 << 20), &[], &[]);
}
