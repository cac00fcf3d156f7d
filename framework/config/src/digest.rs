//! A number that tells two configurations of one cluster apart.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Config;
use crate::sections::{KeyspaceConfig, sorted};

/// Begins the digested text; changes when its form does.
const FORM: &str = "repertoire configuration 1";

impl Config {
    /// A digest of what all nodes must say alike: the cluster's name, its node ids and sites, and
    /// the keyspaces. Nodes compare it when they greet each other.
    ///
    /// Left out are what may differ: `[node]`, `[tls]`, resources, and the *addresses* of nodes,
    /// which may look different from another network and change while the cluster runs. Settings
    /// that equal their default are left out too, so that a version which adds a setting agrees
    /// with one that does not know it.
    pub fn config_digest(&self) -> u64 {
        let mut lines = vec![FORM.to_owned(), format!("cluster {:?}", self.cluster.name)];
        for node in self.cluster.nodes.keys() {
            let site = self.cluster.site_of(*node);
            lines.push(format!("node {} {:?}", node.0, site.0));
        }
        for (name, digest) in self.keyspace_digests() {
            lines.push(format!("keyspace {name} {digest:016x}"));
        }
        xxh3_64(lines.join("\n").as_bytes())
    }

    /// The digest of each keyspace, to name the one in which two nodes differ.
    pub fn keyspace_digests(&self) -> BTreeMap<String, u64> {
        let digest = |(name, keyspace): (&String, &KeyspaceConfig)| {
            (name.clone(), self.keyspace_digest(keyspace))
        };
        self.keyspaces.iter().map(digest).collect()
    }

    fn keyspace_digest(&self, keyspace: &KeyspaceConfig) -> u64 {
        let usual = KeyspaceConfig {
            nodes: self.cluster.nodes.keys().copied().collect(),
            ..KeyspaceConfig::default()
        };
        let usual = settings(&usual);
        let mut lines: Vec<String> = settings(keyspace)
            .into_iter()
            .filter(|(name, value)| usual.get(name) != Some(value))
            .map(|(name, value)| format!("{name} {}", sorted(&value)))
            .collect();
        lines.push(keyspace.plugin_options());
        xxh3_64(lines.join("\n").as_bytes())
    }
}

fn settings(keyspace: &KeyspaceConfig) -> BTreeMap<String, Json> {
    match serde_json::to_value(keyspace) {
        Ok(Json::Object(object)) => object.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}
