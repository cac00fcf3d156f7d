//! Node ids: alone, in lists, as keys of tables.

use serde_json::Value as Json;

use super::{Complaint, Text, text};
use crate::check::Findings;
use crate::tree::{Tree, Value, join};

/// Reads a node id that stands as a key of a table.
fn node_id(name: &str) -> Option<u64> {
    let id: i64 = name.parse().ok().filter(|id| *id > 0)?;
    // `+1` and `01` would be second names of node 1.
    (id.to_string() == name).then_some(id.unsigned_abs())
}

pub(super) fn check_list(tree: &Tree) -> Result<Json, Complaint> {
    const REMEDY: &str = "write a list of ids of cluster.nodes, such as [1, 2, 3]";
    let Value::List(items) = &tree.value else {
        return Err(Complaint::mistyped(tree, REMEDY));
    };
    let mut ids: Vec<u64> = Vec::new();
    for item in items {
        let id = item.integer().and_then(|id| u64::try_from(id).ok());
        let id = id.filter(|id| *id > 0);
        let id = id.ok_or_else(|| Complaint::new("it holds what is not a node id", REMEDY))?;
        if ids.contains(&id) {
            return Err(Complaint::new(
                format!("it names node {id} twice"),
                "name each node once",
            ));
        }
        ids.push(id);
    }
    if ids.is_empty() {
        return Err(Complaint::new(
            "it names no node",
            "name at least one node, or leave `nodes` out",
        ));
    }
    Ok(Json::from(ids))
}

pub(super) fn check_table(
    rule: Text,
    key: &str,
    tree: &Tree,
    findings: &mut Findings,
) -> Option<Json> {
    let Value::Table(table) = &tree.value else {
        let remedy = format!("write a table of node ids: {}", rule.table_example());
        findings.complain(key, tree, Complaint::mistyped(tree, remedy));
        return None;
    };
    let mut object = serde_json::Map::new();
    for (name, value) in table {
        let key = join(key, name);
        if node_id(name).is_none() {
            let reason = "the key is not a node id";
            let remedy = format!("use whole numbers from 1 as keys: {}", rule.table_example());
            findings.complain(&key, value, Complaint::new(reason, remedy));
            continue;
        }
        match text::check(rule, value) {
            Ok(json) => {
                findings.note_origin(&key, value);
                object.insert(name.clone(), json);
            }
            Err(complaint) => findings.complain(&key, value, complaint),
        }
    }
    findings.note_origin(key, tree);
    Some(Json::Object(object))
}
