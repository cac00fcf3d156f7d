//! Keyspaces against the cluster.

use super::Report;
use crate::sections::KeyspaceConfig;

/// Most keyspaces: all their descriptors travel together in the catalogue.
const KEYSPACES_MAX: usize = 10_000;

pub(super) fn check(report: &mut Report<'_>) {
    let config = report.config;
    if config.keyspaces.len() > KEYSPACES_MAX {
        let reason = format!("there are more than {KEYSPACES_MAX} keyspaces");
        let remedy = "put more keys into fewer keyspaces";
        report.add("keyspace", config.keyspaces.len(), reason, remedy);
    }
    for (name, keyspace) in &config.keyspaces {
        check_one(report, name, keyspace);
    }
}

fn check_one(report: &mut Report<'_>, name: &str, keyspace: &KeyspaceConfig) {
    let key = |setting: &str| format!("keyspace.{name}.{setting}");
    let nodes = &report.config.cluster.nodes;
    let strangers: Vec<String> = keyspace
        .nodes
        .iter()
        .filter(|node| !nodes.contains_key(node))
        .map(|node| node.0.to_string())
        .collect();
    if !strangers.is_empty() {
        let ids: Vec<u64> = keyspace.nodes.iter().map(|node| node.0).collect();
        let reason = format!("cluster.nodes has no node {}", strangers.join(", "));
        let remedy = "add the node to cluster.nodes, or take it out of this list";
        report.add(&key("nodes"), ids, reason, remedy);
    }
    let copies = keyspace.nodes.len();
    if !nodes.is_empty() && !keyspace.acks.is_satisfiable(copies) {
        let reason = format!(
            "it asks for {} copies, and {copies} {} the keyspace",
            keyspace.acks.copies(copies),
            if copies == 1 {
                "node holds"
            } else {
                "nodes hold"
            },
        );
        let remedy = match copies {
            1 => "write \"async\", or place the keyspace on more nodes".to_owned(),
            _ => format!(
                "write \"majority\" or {{ semi-sync = {} }} at most, or add nodes",
                copies - 1
            ),
        };
        let value = serde_json::to_value(keyspace.acks).unwrap_or_default();
        report.add(&key("acks"), value, reason, remedy);
    }
}
