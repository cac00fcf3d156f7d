//! A configuration to start from, made from the table of settings.

use std::fmt::Write as _;

use crate::fields::{FieldDoc, NOT_SET, SECTIONS, below};

/// What the sample sets; all else stands in it as a comment.
const SET: [(&str, &str); 11] = [
    ("node.id", "1"),
    ("node.listen", "\"127.0.0.1:7401\""),
    ("node.data", "\"data/1\""),
    ("tls.ca", "\"certs/ca.pem\""),
    ("tls.cert", "\"certs/node-1.pem\""),
    ("tls.key", "\"certs/node-1.key\""),
    ("cluster.name", "\"shop\""),
    (
        "cluster.nodes",
        "{ 1 = \"127.0.0.1:7401\", 2 = \"127.0.0.1:7402\", 3 = \"127.0.0.1:7403\" }",
    ),
    ("keyspace.<name>.protocol", "\"single-leader\""),
    ("keyspace.<name>.shards", "4"),
    ("keyspace.<name>.acks", "{ semi-sync = 1 }"),
];

/// What the sample proposes, in comments, where a default is words and not a value.
const PROPOSED: [(&str, &str); 5] = [
    ("node.fence_command", "\"fence.sh\""),
    ("tls.token_key", "\"certs/token.key\""),
    ("node.site", "\"main\""),
    ("keyspace.<name>.resolver", "\"last-write-wins\""),
    ("keyspace.<name>.nodes", "[1, 2, 3]"),
];

/// The keyspace of the sample.
const KEYSPACE: &str = "accounts";

/// Width of the comments.
const WIDTH: usize = 100;

/// A configuration with every setting: those that a node needs are set, the others stand in
/// comments with their defaults. It loads.
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of a repertoire node. Stronger than this file are the environment\n\
         # (REPERTOIRE_CONFIG__NODE__LISTEN for `listen` in [node]) and flags. [cluster] and\n\
         # [keyspace] are the same on every node; the keyspaces are what the cluster is made with.\n",
    );
    for section in SECTIONS {
        if section == "keyspace" {
            let _ = writeln!(text, "\n[keyspace.{KEYSPACE}]");
            write_fields(&mut text, below("keyspace.<name>"));
            text.push_str(
                "# Options of a plug-in stand in a table of its name:\n\
                 #single-leader = { heartbeat_interval_ms = 50 }\n",
            );
        } else {
            let _ = writeln!(text, "\n[{section}]");
            write_fields(&mut text, below(section));
        }
    }
    text
}

fn write_fields(text: &mut String, fields: impl Iterator<Item = &'static FieldDoc>) {
    for field in fields {
        for line in wrapped(field.meaning)
            .into_iter()
            .chain(wrapped(&takes(field)))
        {
            let _ = writeln!(text, "# {line}");
        }
        let name = field.name();
        if let Some(value) = value_in(&SET, field.key) {
            let _ = writeln!(text, "{name} = {value}");
        } else {
            let value = value_in(&PROPOSED, field.key).unwrap_or(field.default);
            let _ = writeln!(text, "#{name} = {value}");
        }
    }
}

fn value_in(list: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    let is_it = |(known, value): &(&str, &'static str)| (*known == key).then_some(*value);
    list.iter().find_map(is_it)
}

/// What a field may be, and is when nobody says.
fn takes(field: &FieldDoc) -> String {
    let takes = match field.unit {
        "" => "Takes".to_owned(),
        unit => capital(unit),
    };
    let default = match field.default {
        _ if field.is_required() => "required".to_owned(),
        NOT_SET => "not set by default".to_owned(),
        default => format!("default {default}"),
    };
    format!("{takes}: {}; {default}.", field.range)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + 3 <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
