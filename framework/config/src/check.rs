//! From the merged tree to typed sections: every key known, every value of its kind, everything
//! required there. Problems are collected, not thrown at the first one.

mod findings;
mod keyspace;
mod unknown;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::fields::{self, FieldDoc, SECTIONS};
use crate::kind::{self, Complaint};
use crate::strings::PREFIX;
use crate::tree::{Tree, Value, join};

pub(crate) use findings::Findings;
pub(crate) use keyspace::{CATALOGUE, Keyspace};

/// The sections, checked. Values that were wrong are left out; the findings say so.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// All sections but the keyspaces: key by key, as the typed sections want them.
    pub(crate) sections: BTreeMap<&'static str, Map<String, Json>>,
    /// The keyspaces.
    pub(crate) keyspaces: BTreeMap<String, Keyspace>,
}

/// Checks all there is.
pub(crate) fn check(root: &Tree, findings: &mut Findings) -> Checked {
    let mut checked = Checked::default();
    let Value::Table(table) = &root.value else {
        return checked;
    };
    for section in SECTIONS {
        let tree = table.get(section);
        if section == "keyspace" {
            checked.keyspaces =
                tree.map_or_else(BTreeMap::new, |tree| keyspace::check_all(tree, findings));
        } else {
            let map = check_section(section, tree, findings);
            checked.sections.insert(section, map);
        }
    }
    for (name, tree) in table {
        if !SECTIONS.contains(&name.as_str()) {
            let complaint = unknown::key("", name, SECTIONS.iter().copied());
            findings.complain(&join("", name), tree, complaint);
        }
    }
    checked
}

fn check_section(
    section: &'static str,
    tree: Option<&Tree>,
    findings: &mut Findings,
) -> Map<String, Json> {
    let empty = BTreeMap::new();
    let table = match tree.map(|tree| (tree, &tree.value)) {
        None => &empty,
        Some((_, Value::Table(table))) => table,
        Some((tree, _)) => {
            let remedy = format!("write it as a table: [{section}]");
            findings.complain(section, tree, Complaint::mistyped(tree, remedy));
            // What is missing inside would be said twice.
            return Map::new();
        }
    };
    let mut map = Map::new();
    for field in fields::below(section) {
        match table.get(field.name()) {
            Some(tree) => {
                if let Some(json) = kind::check(field, field.key, tree, findings) {
                    map.insert(field.name().to_owned(), json);
                }
            }
            None if field.is_required() => require(field, findings),
            None => {}
        }
    }
    for (name, tree) in table {
        if fields::below(section).all(|field| field.name() != name) {
            let known = fields::below(section).map(FieldDoc::name);
            let complaint = unknown::key(section, name, known);
            findings.complain(&join(section, name), tree, complaint);
        }
    }
    map
}

fn require(field: &FieldDoc, findings: &mut Findings) {
    let variable = format!(
        "{PREFIX}{}",
        field.key.replace('.', "__").to_ascii_uppercase()
    );
    let remedy = format!(
        "set `{}` in [{}], or {variable}: {}",
        field.name(),
        field.section(),
        field.range
    );
    findings.miss(field.key, "it must be set and is not", remedy);
}
