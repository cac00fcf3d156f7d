//! Settings against each other.

mod keyspaces;
mod resources;

use std::collections::BTreeMap;

use crate::config::Config;
use crate::error::ConfigError;
use crate::show;

/// Most nodes of a cluster.
const NODES_MAX: usize = 64;

/// All contradictions.
pub(crate) fn check(config: &Config) -> Vec<ConfigError> {
    let mut report = Report {
        config,
        problems: Vec::new(),
    };
    check_nodes(&mut report);
    check_sites(&mut report);
    keyspaces::check(&mut report);
    resources::check(&mut report);
    report.problems
}

struct Report<'a> {
    config: &'a Config,
    problems: Vec<ConfigError>,
}

impl Report<'_> {
    fn add(
        &mut self,
        key: &str,
        value: impl Into<serde_json::Value>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let origin = self.config.origin_of(key);
        let shown = show::short(key, &value.into());
        let problem = ConfigError::new(origin, key, reason, remedy);
        self.problems.push(problem.with_value(shown));
    }
}

fn check_nodes(report: &mut Report<'_>) {
    let config = report.config;
    let nodes = &config.cluster.nodes;
    if nodes.is_empty() || nodes.len() > NODES_MAX {
        let reason = format!("a cluster has 1 to {NODES_MAX} nodes");
        let remedy = "list every node with its address";
        report.add("cluster.nodes", nodes.len(), reason, remedy);
        return;
    }
    let id = config.node.id;
    if config.node.joins && nodes.contains_key(&id) {
        let reason = format!(
            "cluster.nodes has node {}: the cluster was founded with it",
            id.0
        );
        let remedy = "leave node.joins out; cluster.nodes stays as the cluster was founded";
        report.add("node.joins", true, reason, remedy);
    }
    if !config.node.joins && !nodes.contains_key(&id) {
        let known: Vec<String> = nodes.keys().map(|node| node.0.to_string()).collect();
        let reason = format!(
            "cluster.nodes has no node {}, only {}",
            id.0,
            known.join(", ")
        );
        let remedy = "add the node to cluster.nodes, give this one another id, or set node.joins where \
                      it joins a running cluster";
        report.add("node.id", id.0, reason, remedy);
    }
    let mut owners = BTreeMap::new();
    for (node, address) in nodes {
        if let Some(first) = owners.insert(address.to_ascii_lowercase(), node.0) {
            let reason = format!("node {first} has the same address");
            let remedy = "give each node an address of its own";
            let key = format!("cluster.nodes.{}", node.0);
            report.add(&key, address.as_str(), reason, remedy);
        }
    }
}

fn check_sites(report: &mut Report<'_>) {
    let config = report.config;
    for (node, site) in &config.cluster.sites {
        if !config.cluster.nodes.contains_key(node) {
            let key = format!("cluster.sites.{}", node.0);
            let reason = format!("cluster.nodes has no node {}", node.0);
            report.add(
                &key,
                site.0.as_str(),
                reason,
                "add the node, or remove the line",
            );
        }
    }
    let (id, site) = (config.node.id, &config.node.site);
    if let Some(known) = config.cluster.sites.get(&id).filter(|known| *known != site) {
        let reason = format!("cluster.sites puts node {} in {:?}", id.0, known.0);
        let remedy = "leave `site` out of [node], or make both say the same";
        report.add("node.site", site.0.as_str(), reason, remedy);
    }
}
