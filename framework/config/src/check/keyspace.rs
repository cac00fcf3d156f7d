//! Keyspaces: their names, their settings, and the tables of their plug-ins.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Findings, unknown};
use crate::fields::{self, PLUGIN_KEYS};
use crate::kind::{self, Complaint};
use crate::tree::{Tree, Value, join};

/// The name of keyspace 0.
pub(crate) const CATALOGUE: &str = "catalogue";

/// Longest name of a keyspace.
const NAME_MAX: usize = 64;

/// Deepest table inside the options of a plug-in.
const DEPTH_MAX: usize = 16;

/// A keyspace as it was written: only what was.
#[derive(Debug, Default)]
pub(crate) struct Keyspace {
    /// Its settings.
    pub(crate) settings: Map<String, Json>,
    /// The options of its plug-ins.
    pub(crate) plugins: BTreeMap<String, Json>,
}

pub(super) fn check_all(tree: &Tree, findings: &mut Findings) -> BTreeMap<String, Keyspace> {
    let mut keyspaces = BTreeMap::new();
    let Value::Table(table) = &tree.value else {
        let remedy = "write a table for each keyspace: [keyspace.accounts]";
        findings.complain("keyspace", tree, Complaint::mistyped(tree, remedy));
        return keyspaces;
    };
    for (name, tree) in table {
        let key = join("keyspace", name);
        if let Err(complaint) = check_name(name) {
            findings.complain(&key, tree, complaint);
        } else if let Value::Table(settings) = &tree.value {
            let keyspace = check_one(&key, settings, findings);
            keyspaces.insert(name.clone(), keyspace);
        } else {
            let remedy = format!("write it as a table: [{key}]");
            findings.complain(&key, tree, Complaint::mistyped(tree, remedy));
        }
    }
    keyspaces
}

fn check_name(name: &str) -> Result<(), Complaint> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name == CATALOGUE {
        return Err(Complaint::new(
            "`catalogue` is the name of keyspace 0, which the framework makes itself",
            "choose another name, such as `products`",
        ));
    }
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Complaint::new(
        "it cannot be the name of a keyspace",
        "use 1 to 64 of a-z, 0-9, `-` and `_`",
    ))
}

fn check_one(key: &str, table: &BTreeMap<String, Tree>, findings: &mut Findings) -> Keyspace {
    let mut keyspace = Keyspace::default();
    for field in fields::below("keyspace.<name>") {
        if let Some(tree) = table.get(field.name())
            && let Some(json) = kind::check(field, &join(key, field.name()), tree, findings)
        {
            keyspace.settings.insert(field.name().to_owned(), json);
        }
    }
    let plugins = plugins(&keyspace.settings);
    let protocol = plugins.first().cloned();
    for (name, tree) in table {
        let at = join(key, name);
        if fields::below("keyspace.<name>").any(|field| field.name() == name) {
            continue;
        }
        if !plugins.contains(name) {
            let complaint = unknown_in_keyspace(key, name, tree, &plugins);
            findings.complain(&at, tree, complaint);
            continue;
        }
        let Value::Table(options) = &tree.value else {
            let remedy = format!("write a table: [{at}]");
            findings.complain(&at, tree, Complaint::mistyped(tree, remedy));
            continue;
        };
        let mut options = options.clone();
        if protocol.as_ref() == Some(name)
            && let Some(acks) = options.remove("acks")
        {
            merge_acks(&at, &acks, table.get("acks"), &mut keyspace, findings);
        }
        let mut object = Map::new();
        for (name, tree) in &options {
            if let Some(json) = plugin_option(&join(&at, name), tree, DEPTH_MAX, findings) {
                object.insert(name.clone(), json);
            }
        }
        // An empty table says no more than none, and must not make two nodes differ.
        if !object.is_empty() {
            keyspace.plugins.insert(name.clone(), Json::Object(object));
        }
    }
    keyspace
}

/// The plug-ins of a keyspace, its protocol first: those it names, or the defaults.
fn plugins(settings: &Map<String, Json>) -> Vec<String> {
    let chosen = |key: &&str| match settings.get(*key) {
        Some(name) => name.as_str().map(str::to_owned),
        None => fields::default_text(&format!("keyspace.<name>.{key}")),
    };
    PLUGIN_KEYS.iter().filter_map(chosen).collect()
}

fn unknown_in_keyspace(key: &str, name: &str, tree: &Tree, plugins: &[String]) -> Complaint {
    let mut known: Vec<&str> = plugins.iter().map(String::as_str).collect();
    for field in fields::below("keyspace.<name>") {
        known.push(field.name());
    }
    let complaint = unknown::key(key, name, known.iter().copied());
    if matches!(tree.value, Value::Table(_)) && complaint.reason == "unknown key" {
        let reason = "none of this keyspace's plug-ins has that name";
        let remedy = format!(
            "remove it, or use it as protocol, engine, log_format or resolver; in use are {}",
            plugins.join(", ")
        );
        return Complaint::new(reason, remedy);
    }
    complaint
}

/// `acks` in the protocol's table: as good as beside it, and stronger, unless the other one comes
/// from a stronger layer (a variable against a file).
fn merge_acks(
    table_key: &str,
    inner: &Tree,
    outer: Option<&Tree>,
    keyspace: &mut Keyspace,
    findings: &mut Findings,
) {
    let key = join(table_key, "acks");
    match kind::acks(inner) {
        Err(complaint) => findings.complain(&key, inner, complaint),
        Ok(_) if outer.is_some_and(|outer| outer.source.rank > inner.source.rank) => {}
        Ok(json) => {
            let generic = table_key.rsplit_once('.').map_or("", |(parent, _)| parent);
            findings.note_origin(&join(generic, "acks"), inner);
            keyspace.settings.insert("acks".to_owned(), json);
        }
    }
}

/// An option of a plug-in, as JSON, with the origins of its parts.
fn plugin_option(key: &str, tree: &Tree, depth: usize, findings: &mut Findings) -> Option<Json> {
    if depth == 0 {
        let complaint = Complaint::new("it is nested too deep", "flatten it");
        findings.complain(key, tree, complaint);
        return None;
    }
    findings.note_origin(key, tree);
    if let Value::Table(table) = &tree.value {
        let mut object = Map::new();
        for (name, tree) in table {
            let json = plugin_option(&join(key, name), tree, depth - 1, findings)?;
            object.insert(name.clone(), json);
        }
        return Some(Json::Object(object));
    }
    match tree.to_json() {
        Ok(json) => Some(json),
        Err(part) => {
            let remedy = "write a text, a number or true and false; dates go into texts";
            findings.complain(key, tree, Complaint::mistyped(part, remedy));
            None
        }
    }
}
