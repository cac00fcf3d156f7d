//! Values as TOML text, for error messages and the printed configuration. Secrets never appear.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

/// Longest value quoted in an error message, in characters.
const SHORT_MAX: usize = 80;

/// Parts of names whose values are not shown. The framework's own settings hold paths of keys,
/// never keys; the options of plug-ins may hold anything.
const SECRET_NAMES: [&str; 4] = ["password", "secret", "token", "credential"];

/// What stands in for a secret.
const HIDDEN: &str = "[not shown]";

/// A value under `key` as TOML, on one line.
pub(crate) fn toml(key: &str, value: &Json) -> String {
    let mut text = String::new();
    write_value(&mut text, key, value);
    text
}

/// The same, shortened for an error message.
pub(crate) fn short(key: &str, value: &Json) -> String {
    let text = toml(key, value);
    if text.chars().count() <= SHORT_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(SHORT_MAX).collect();
    cut.push('…');
    cut
}

/// A key as TOML writes it, shortened.
pub(crate) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= SHORT_MAX && name.chars().all(bare) {
        return name.to_owned();
    }
    let cut: String = name.chars().take(SHORT_MAX).collect();
    let mut text = quoted(&cut);
    if cut.len() < name.len() {
        text.push('…');
    }
    text
}

/// Whether the value must not be shown.
pub(crate) fn is_secret(key: &str, value: &Json) -> bool {
    let mut names: Vec<&str> = key.split('.').collect();
    if names.first() == Some(&"keyspace") && names.len() > 2 {
        // A keyspace may be called `tokens` without becoming one.
        names.remove(1);
    }
    let is_secret_name = |name: &&str| {
        let name = name.to_ascii_lowercase();
        SECRET_NAMES.iter().any(|part| name.contains(part))
    };
    names.iter().any(is_secret_name) || value.as_str().is_some_and(is_private_key)
}

/// Whether a text is a private key where the path of one belongs.
pub(crate) fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY")
}

/// A path of keys with dots, shortened.
pub(crate) fn key_path(path: &str) -> String {
    let parts: Vec<String> = path.split('.').take(8).map(key).collect();
    parts.join(".")
}

fn write_value(text: &mut String, at: &str, value: &Json) {
    if is_secret(at, value) {
        text.push_str(&quoted(HIDDEN));
        return;
    }
    match value {
        Json::Null => text.push_str("nothing"),
        Json::Bool(_) => text.push_str(&value.to_string()),
        Json::Number(number) => text.push_str(&number.to_string()),
        Json::String(string) => text.push_str(&quoted(string)),
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write_value(text, at, item);
            }
            text.push(']');
        }
        Json::Object(object) => {
            text.push_str("{ ");
            // Sorted here, whatever order the map keeps.
            let sorted: BTreeMap<&String, &Json> = object.iter().collect();
            for (index, (name, item)) in sorted.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(&full_key(name));
                text.push_str(" = ");
                write_value(text, name, item);
            }
            text.push_str(" }");
        }
    }
}

/// A key as TOML writes it, in full.
pub(crate) fn full_key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A TOML basic string.
fn quoted(string: &str) -> String {
    let mut text = String::with_capacity(string.len() + 2);
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_toml() {
        let value = json!({"semi-sync": 1, "a b": ["x\n\"", 2.5, true]});
        assert_eq!(
            toml("acks", &value),
            r#"{ "a b" = ["x\n\"", 2.5, true], semi-sync = 1 }"#
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let pem = json!("-----BEGIN PRIVATE KEY-----\nMC4C");
        assert_eq!(toml("tls.key", &pem), "\"[not shown]\"");
        let nested = json!({"db_password": "hunter2", "port": 1});
        assert!(!toml("options", &nested).contains("hunter2"));
        assert_eq!(toml("keyspace.tokens.shards", &json!(4)), "4");
        assert!(!toml("keyspace.a.sqlite.secret.x", &json!("hunter2")).contains("hunter2"));
    }

    #[test]
    fn long_values_and_keys_are_shortened() {
        assert!(short("a", &json!("x".repeat(10_000))).chars().count() < 100);
        assert!(key(&"k\u{1}".repeat(10_000)).len() < 1000);
    }
}
