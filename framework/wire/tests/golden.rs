//! The bytes of every message, kept in files: a change of the wire is never an accident.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use support::{bare, decode_all, samples};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Lines of 32 bytes, so that a change shows where it is.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_bytes_of_no_message_have_changed() {
    let is_blessing = std::env::var_os("REPERTOIRE_BLESS").is_some();
    for (name, bytes) in samples() {
        let path = folder().join(format!("{name}.hex"));
        if is_blessing && !path.exists() {
            fs::write(&path, hex(&bytes)).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            hex(&bytes),
            kept,
            "\nthe bytes of `{name}` are not those in {}.\n\
             Nodes of other versions could not read them: add an extension or a new variant at \
             the end of an enum instead.\nFor a message that is new, set REPERTOIRE_BLESS=1; one \
             that was never released may be deleted and made anew so.",
            path.display()
        );
    }
}

#[test]
fn every_kept_message_is_still_read() {
    let names: BTreeSet<String> = samples().into_iter().map(|(name, _)| name).collect();
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let frame = bare(&unhex(&fs::read_to_string(&path).unwrap()));
        assert!(decode_all(&frame) > 0, "no decoder takes {name} any more");
        kept.insert(name);
    }
    assert_eq!(kept, names, "samples and files differ");
}
