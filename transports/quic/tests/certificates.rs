//! Certificates in files: what is refused, and what the error says.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;

use repertoire_core::NodeId;
use repertoire_transport_quic::certs::{
    ClusterAuthority, Identity, TlsFiles, TlsIdentity, Validity, write_private,
};

fn prepared(folder: &Path) -> (ClusterAuthority, TlsFiles) {
    let authority = ClusterAuthority::create("shop", Validity::days(30)).unwrap();
    let issued = authority.issue(&Identity::Node(NodeId(1)), 30).unwrap();
    let files = TlsFiles {
        ca: folder.join("ca.pem"),
        cert: folder.join("node-1.pem"),
        key: folder.join("node-1.key"),
    };
    fs::write(&files.ca, authority.cert_pem()).unwrap();
    fs::write(&files.cert, &issued.cert_pem).unwrap();
    write_private(&files.key, &issued.key_pem).unwrap();
    (authority, files)
}

#[test]
fn written_files_load_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_, files) = prepared(folder.path());
    let identity = TlsIdentity::load(&files).unwrap();
    assert_eq!(*identity.identity(), Identity::Node(NodeId(1)));
    assert_eq!(identity.cluster(), "shop");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let (_, files) = prepared(folder.path());
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = TlsIdentity::load(&files).unwrap_err().to_string();
    assert!(
        error.contains("640") && error.contains("chmod 600"),
        "{error}"
    );
    assert!(error.contains("node-1.key"), "{error}");
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (_, files) = prepared(folder.path());
    let load = |files: &TlsFiles| TlsIdentity::load(files).unwrap_err().to_string();

    let mut missing = files.clone();
    missing.ca = folder.path().join("nowhere.pem");
    let error = load(&missing);
    assert!(
        error.contains("nowhere.pem") && error.contains("tls.ca"),
        "{error}"
    );

    let mut empty = files.clone();
    empty.cert = folder.path().join("empty.pem");
    fs::write(&empty.cert, "").unwrap();
    assert!(load(&empty).contains("holds no certificate"));

    let mut nobody = files.clone();
    nobody.cert = files.ca.clone();
    assert!(load(&nobody).contains("names no node or client"));

    let mut no_key = files.clone();
    no_key.key = folder.path().join("no.key");
    write_private(&no_key.key, "not a key").unwrap();
    assert!(load(&no_key).contains("holds no private key"));
}

#[test]
fn secrets_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, files) = prepared(folder.path());
    let identity = TlsIdentity::load(&files).unwrap();
    let issued = authority
        .issue(&Identity::Client("batch".into()), 1)
        .unwrap();
    let shown = format!("{authority:?} {identity:?} {issued:?}");
    assert!(!shown.contains("PRIVATE") && shown.len() < 300, "{shown}");
}

#[test]
fn an_existing_key_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (_, files) = prepared(folder.path());
    assert!(write_private(&files.key, "other").is_err());
}

#[test]
fn an_authority_is_taken_up_again_only_whole() {
    let create = |name| ClusterAuthority::create(name, Validity::days(1)).unwrap();
    let (authority, other) = (create("shop"), create("shop"));
    let again = ClusterAuthority::load("shop", authority.cert_pem(), &authority.key_pem()).unwrap();
    assert!(again.issue(&Identity::Node(NodeId(9)), 1).is_ok());
    assert!(ClusterAuthority::load("shop", authority.cert_pem(), &other.key_pem()).is_err());
    assert!(ClusterAuthority::load("mall", authority.cert_pem(), &authority.key_pem()).is_err());
    assert!(ClusterAuthority::create("No Name", Validity::days(1)).is_err());
    assert!(authority.issue(&Identity::Client("a.b".into()), 1).is_err());
    assert!(authority.issue(&Identity::Node(NodeId(0)), 1).is_err());
}
