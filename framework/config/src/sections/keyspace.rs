//! The sections `[keyspace.<name>]`.

use std::collections::BTreeMap;

use repertoire_core::{Acks, Durability, KeyspaceOptions, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// `[keyspace.<name>]`: what the cluster is to make of it when it is formatted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyspaceConfig {
    /// The protocol's name.
    pub protocol: String,
    /// The engine's name.
    pub engine: String,
    /// The log format's name.
    pub log_format: String,
    /// The resolver's name, if any.
    pub resolver: Option<String>,
    /// Parts that replicate by themselves.
    pub shards: u32,
    /// The nodes that hold it; the order says who leads.
    pub nodes: Vec<NodeId>,
    /// Copies that a write needs.
    pub acks: Acks,
    /// The medium that counts.
    pub durability: Durability,
    /// Longest key, in bytes.
    pub key_max: u32,
    /// Longest value, in bytes.
    pub value_max: u32,
    /// Bytes of log kept for slow followers.
    pub log_retention_bytes: u64,
    /// Bytes of log between two durable snapshots.
    pub checkpoint_bytes: u64,
    /// Milliseconds after which an idle client session is forgotten.
    pub session_lifetime_ms: u64,
    #[serde(skip)]
    pub(crate) plugins: BTreeMap<String, Json>,
}

impl Default for KeyspaceConfig {
    fn default() -> Self {
        let options = KeyspaceOptions::default();
        Self {
            protocol: "single-leader".to_owned(),
            engine: "memory".to_owned(),
            log_format: "row".to_owned(),
            resolver: None,
            shards: 1,
            nodes: Vec::new(),
            acks: options.acks,
            durability: options.durability,
            key_max: options.key_max,
            value_max: options.value_max,
            log_retention_bytes: options.log_retention_bytes,
            checkpoint_bytes: options.checkpoint_bytes,
            session_lifetime_ms: options.session_lifetime_ms,
            plugins: BTreeMap::new(),
        }
    }
}

impl KeyspaceConfig {
    /// The options that every keyspace has.
    pub const fn options(&self) -> KeyspaceOptions {
        KeyspaceOptions {
            acks: self.acks,
            durability: self.durability,
            key_max: self.key_max,
            value_max: self.value_max,
            log_retention_bytes: self.log_retention_bytes,
            checkpoint_bytes: self.checkpoint_bytes,
            session_lifetime_ms: self.session_lifetime_ms,
        }
    }

    /// The options of its plug-ins, as descriptors hold them: a JSON object with one section per
    /// plug-in name, keys sorted, or nothing when there are none.
    pub fn plugin_options(&self) -> String {
        if self.plugins.is_empty() {
            return String::new();
        }
        // Sorted whatever order the JSON library keeps: every node must propose the same bytes.
        let sorted: BTreeMap<&String, Json> = self
            .plugins
            .iter()
            .map(|(name, options)| (name, sorted(options)))
            .collect();
        serde_json::to_string(&sorted).unwrap_or_default()
    }
}

/// The same value with the keys of its objects inserted in order.
pub(crate) fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(object) => {
            let pairs: BTreeMap<&String, &Json> = object.iter().collect();
            let pairs = pairs.into_iter().map(|(name, v)| (name.clone(), sorted(v)));
            Json::Object(pairs.collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}
