//! From checked values to typed sections: what was left out is filled in.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::{Config, Origins};
use crate::check::{Checked, Findings, Keyspace};
use crate::error::Origin;
use crate::sections::{KeyspaceConfig, MAIN_SITE};

/// Fills in the defaults that depend on other settings.
pub(super) fn complete(checked: &mut Checked) {
    let cluster = checked.sections.get("cluster");
    let table = |key: &str| cluster.and_then(|cluster| cluster.get(key)).cloned();
    let (nodes, sites) = (table("nodes"), table("sites"));
    let all = all_nodes(nodes.as_ref());
    if let Some(node) = checked.sections.get_mut("node") {
        let id = node.get("id").map(ToString::to_string).unwrap_or_default();
        let of = |table: &Option<Json>| table.as_ref().and_then(|table| table.get(&id)).cloned();
        let site = of(&sites).unwrap_or_else(|| Json::from(MAIN_SITE));
        node.entry("site").or_insert(site);
        if let (None, Some(address)) = (node.get("listen"), of(&nodes)) {
            node.insert("listen".to_owned(), address);
        }
    }
    for keyspace in checked.keyspaces.values_mut() {
        let settings = &mut keyspace.settings;
        let nodes = settings
            .entry("nodes")
            .or_insert_with(|| Json::from(all.clone()));
        let is_alone = nodes.as_array().is_some_and(|nodes| nodes.len() == 1);
        if is_alone {
            // There is no follower to wait for, and no way to write the default otherwise.
            settings
                .entry("acks")
                .or_insert_with(|| Json::from("async"));
        }
    }
}

fn all_nodes(nodes: Option<&Json>) -> Vec<u64> {
    let table = nodes.and_then(Json::as_object);
    let ids = table.into_iter().flat_map(Map::keys);
    let mut ids: Vec<u64> = ids.filter_map(|id| id.parse().ok()).collect();
    ids.sort_unstable();
    ids
}

/// The typed sections; nothing when something that they need is missing or wrong.
pub(super) fn sections(checked: Checked, findings: &mut Findings) -> Option<Config> {
    let Checked {
        mut sections,
        keyspaces,
    } = checked;
    require_listen(sections.get("node"), findings);
    let keyspaces: Option<BTreeMap<String, KeyspaceConfig>> = keyspaces
        .into_iter()
        .map(|(name, keyspace)| Some((name, keyspace_of(keyspace)?)))
        .collect();
    let mut take = |name: &str| sections.remove(name).unwrap_or_default();
    let origins = Origins {
        by_key: BTreeMap::new(),
        home: Origin::Default,
    };
    Some(Config {
        node: typed(take("node"))?,
        tls: typed(take("tls"))?,
        cluster: typed(take("cluster"))?,
        keyspaces: keyspaces?,
        log: typed(take("log"))?,
        limits: typed(take("limits"))?,
        transport: typed(take("transport"))?,
        origins,
    })
}

/// The address of the node itself may be a name, on which nobody can listen.
fn require_listen(node: Option<&Map<String, Json>>, findings: &mut Findings) {
    let Some(node) = node else { return };
    let remedy = "set `listen` in [node], or REPERTOIRE_CONFIG__NODE__LISTEN: an IP address and \
                  port, such as \"0.0.0.0:7401\"";
    match node.get("listen").and_then(Json::as_str) {
        Some(text) if text.parse::<std::net::SocketAddr>().is_err() => {
            let reason = "it must be set: the node's address in cluster.nodes is a host name";
            findings.miss("node.listen", reason, remedy);
        }
        None if findings.is_clean() => {
            let reason = "it must be set: cluster.nodes has no address for this node";
            findings.miss("node.listen", reason, remedy);
        }
        _ => {}
    }
}

fn keyspace_of(keyspace: Keyspace) -> Option<KeyspaceConfig> {
    let mut config: KeyspaceConfig = typed(keyspace.settings)?;
    config.plugins = keyspace.plugins;
    Some(config)
}

fn typed<T: DeserializeOwned>(section: Map<String, Json>) -> Option<T> {
    serde_json::from_value(Json::Object(section)).ok()
}
