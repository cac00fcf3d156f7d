//! Kinds of settings: what a value must be, and what to say when it is not.

mod integer;
mod nodes;
mod text;

use repertoire_core::Acks;
use serde_json::Value as Json;

use crate::check::Findings;
use crate::fields::FieldDoc;
use crate::nearest::nearest;
use crate::tree::{Tree, Value};

pub(crate) use text::Text;

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A text under a rule.
    Text(Text),
    /// `true` or `false`.
    Flag,
    /// A whole number, or a word that stands for none.
    Integer {
        min: u64,
        max: u64,
        word: Option<&'static str>,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// An ack mode.
    Acks,
    /// A list of node ids.
    NodeList,
    /// A table from node id to a text.
    NodeTable(Text),
    /// Options of a plug-in, which checks them itself.
    PluginTable,
}

/// What is wrong with a value, and what to do.
pub(crate) struct Complaint {
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl Complaint {
    pub(crate) fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn mistyped(tree: &Tree, remedy: impl Into<String>) -> Self {
        Self::new(format!("{} does not belong here", tree.kind()), remedy)
    }
}

/// Checks the value of a field. Returns it as the typed sections want it; nothing, and a finding,
/// when it is wrong.
pub(crate) fn check(
    field: &FieldDoc,
    key: &str,
    tree: &Tree,
    findings: &mut Findings,
) -> Option<Json> {
    let checked = match field.kind {
        Kind::Text(rule) => text::check(rule, tree),
        Kind::Flag => flag(tree),
        Kind::Integer { min, max, word } => integer::check(tree, min, max, word),
        Kind::Choice(words) => choice(tree, words),
        Kind::Acks => acks(tree),
        Kind::NodeList => nodes::check_list(tree),
        Kind::NodeTable(rule) => return nodes::check_table(rule, key, tree, findings),
        Kind::PluginTable => Err(Complaint::mistyped(tree, "write a table of options")),
    };
    match checked {
        Ok(json) => {
            findings.note_origin(key, tree);
            Some(json)
        }
        Err(complaint) => {
            findings.complain(key, tree, complaint);
            None
        }
    }
}

fn flag(tree: &Tree) -> Result<Json, Complaint> {
    let remedy = "write true or false, without quotes";
    if let Value::Flag(flag) = tree.value {
        return Ok(Json::Bool(flag));
    }
    Err(Complaint::mistyped(tree, remedy))
}

fn choice(tree: &Tree, words: &[&str]) -> Result<Json, Complaint> {
    let all = one_of(words);
    let Value::Text(text) = &tree.value else {
        return Err(Complaint::mistyped(tree, format!("write {all}")));
    };
    if words.contains(&text.as_str()) {
        return Ok(Json::String(text.clone()));
    }
    let near = nearest(text, words.iter().copied());
    let remedy = near.map_or_else(
        || format!("write {all}"),
        |near| format!("write \"{near}\""),
    );
    Err(Complaint::new(format!("it must be {all}"), remedy))
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Reads an ack mode. Its form in a file is that of the type itself.
pub(crate) fn acks(tree: &Tree) -> Result<Json, Complaint> {
    const ALL: &str = "\"async\", \"sync\", \"majority\" or { semi-sync = 1 }";
    let wrong = || {
        let words = ["async", "sync", "majority"];
        let near = tree.text().and_then(|text| {
            let is_bare = text.starts_with("semi");
            let near = || nearest(text, words).map(|near| format!("\"{near}\""));
            if is_bare {
                Some("{ semi-sync = 1 }".to_owned())
            } else {
                near()
            }
        });
        let remedy = format!("write {}", near.as_deref().unwrap_or(ALL));
        Complaint::new("it is not an ack mode", remedy)
    };
    let json = tree.to_json().map_err(|_| wrong())?;
    if let Json::Object(object) = &json
        && let Some(followers) = object.get("semi-sync")
        && object.len() == 1
        && followers.as_u64().is_none_or(|count| count > 63)
    {
        let reason = "semi-sync takes the number of synchronous followers, 0 to 63";
        return Err(Complaint::new(reason, "write { semi-sync = 1 }"));
    }
    serde_json::from_value::<Acks>(json.clone()).map_err(|_| wrong())?;
    Ok(json)
}
