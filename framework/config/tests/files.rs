//! Files that a configuration names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use repertoire_config::Config;

fn config(folder: &Path) -> Config {
    let text = r#"
node = { id = 1, data = "data" }
tls = { ca = "ca.pem", cert = "node-1.pem", key = "node-1.key" }
cluster = { name = "shop", nodes = { 1 = "127.0.0.1:1" } }
"#;
    Config::parse(folder.join("a.toml"), text).unwrap()
}

#[test]
fn missing_files_and_open_keys_are_told_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let errors = config.check_files().unwrap_err();
    let keys: Vec<&str> = errors.problems().iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["tls.ca", "tls.cert", "tls.key"]);
    assert!(
        errors.to_string().contains("`repertoire cert` makes one"),
        "{errors}"
    );

    std::fs::create_dir(folder.path().join("ca.pem")).unwrap();
    std::fs::write(folder.path().join("node-1.pem"), "").unwrap();
    let key = folder.path().join("node-1.key");
    std::fs::write(&key, "").unwrap();
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode));
    mode(0o640).unwrap();
    let problems = config.check_files().unwrap_err().problems().to_vec();
    let [ca, key_problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (ca.key.as_str(), ca.reason.as_str()),
        ("tls.ca", "it is not a file")
    );
    assert!(key_problem.reason.ends_with("(mode 0640)"), "{key_problem}");
    assert_eq!(key_problem.remedy, format!("chmod 600 {}", key.display()));

    std::fs::remove_dir(folder.path().join("ca.pem")).unwrap();
    std::fs::write(folder.path().join("ca.pem"), "").unwrap();
    mode(0o600).unwrap();
    config.check_files().unwrap();
}
