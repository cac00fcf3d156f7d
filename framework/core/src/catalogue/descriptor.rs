//! The descriptor of a keyspace: the tuple protocol × resolver × log format × engine × placement
//! × guarantees, with versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SlotMap;
use crate::{
    Acks, ConfigEpoch, Durability, Error, ErrorKind, Incarnation, KeyspaceId, NodeId, ShardId, Site,
};

/// A plug-in by name and version of its rule or layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRef {
    /// The registered name.
    pub name: String,
    /// The version that the keyspace was made with.
    pub version: u32,
}

impl PluginRef {
    /// Version 1 of a plug-in.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: 1,
        }
    }
}

/// What a replica is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaRole {
    /// Holds the data and counts for acknowledgements and votes.
    #[default]
    Replica,
    /// Holds the data, counts for nothing: joining, or recovering.
    Learner,
    /// Routes requests, holds nothing.
    Coordinator,
    /// Takes writes for an absent home node.
    Fallback,
    /// Passes entries on.
    Relay,
}

/// One replica of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSpec {
    /// Where.
    pub node: NodeId,
    /// On which disk; `None` while the node has not announced it.
    #[serde(default, with = "crate::authority::incarnation::as_text")]
    pub incarnation: Option<Incarnation>,
    /// What for.
    pub role: ReplicaRole,
    /// In which failure domain.
    pub site: Site,
}

impl ReplicaSpec {
    /// A full replica on `node`, in the default site.
    pub fn on(node: NodeId) -> Self {
        Self {
            node,
            incarnation: None,
            role: ReplicaRole::Replica,
            site: Site::default(),
        }
    }
}

/// Where a keyspace lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Which shard each slot belongs to.
    pub slots: SlotMap,
    /// The replicas of each shard.
    pub shards: BTreeMap<ShardId, Vec<ReplicaSpec>>,
    /// The layout being moved to, if any. Reads and writes satisfy both while both exist.
    pub next: Option<BTreeMap<ShardId, Vec<ReplicaSpec>>>,
}

/// Options that every keyspace has, whatever its plug-ins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyspaceOptions {
    /// Copies that a write needs when the request does not say.
    pub acks: Acks,
    /// The medium that counts.
    pub durability: Durability,
    /// Longest key accepted, in bytes.
    pub key_max: u32,
    /// Longest value accepted, in bytes.
    pub value_max: u32,
    /// Bytes of log kept for slow followers before they must take a snapshot. From four segments of
    /// the log upwards its files take no more than this and two segments. From 1 MiB upwards writes
    /// wait when a checkpoint that is being made cannot keep up.
    pub log_retention_bytes: u64,
    /// A durable snapshot is made after this many bytes of log, or earlier where that would be most
    /// of what the retention allows.
    pub checkpoint_bytes: u64,
    /// Client sessions idle for longer, by the times in the log, are forgotten. Milliseconds.
    pub session_lifetime_ms: u64,
}

impl Default for KeyspaceOptions {
    fn default() -> Self {
        Self {
            acks: Acks::default(),
            durability: Durability::Disk,
            key_max: 4 * 1024,
            value_max: 512 * 1024,
            log_retention_bytes: 1 << 30,
            checkpoint_bytes: 512 << 20,
            session_lifetime_ms: 3_600_000,
        }
    }
}

/// What a keyspace is. Changed by compare-and-set on [`config_epoch`](Self::config_epoch).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The number; never reused.
    pub id: KeyspaceId,
    /// The name, an alias.
    pub name: String,
    /// Version of this descriptor.
    pub config_epoch: ConfigEpoch,
    /// What may be logged; see the upgrade chapter.
    pub feature_level: u32,
    /// How it replicates.
    pub protocol: PluginRef,
    /// How conflicts end, where they can happen.
    pub resolver: Option<PluginRef>,
    /// How changes are written down.
    pub log_format: PluginRef,
    /// Where state is kept.
    pub engine: PluginRef,
    /// Options that every keyspace has.
    pub options: KeyspaceOptions,
    /// Options of the plug-ins: a JSON object with one section per plug-in name.
    pub plugin_options: String,
    /// Where it lives.
    pub placement: Placement,
}

impl Descriptor {
    /// A single-shard keyspace with default options.
    pub fn single_shard(
        id: KeyspaceId,
        name: impl Into<String>,
        protocol: &str,
        nodes: &[NodeId],
    ) -> Self {
        let replicas = nodes.iter().copied().map(ReplicaSpec::on).collect();
        Self {
            id,
            name: name.into(),
            config_epoch: ConfigEpoch(1),
            feature_level: 1,
            protocol: PluginRef::named(protocol),
            resolver: None,
            log_format: PluginRef::named("row"),
            engine: PluginRef::named("memory"),
            options: KeyspaceOptions::default(),
            plugin_options: String::new(),
            placement: Placement {
                slots: SlotMap::default(),
                shards: BTreeMap::from([(ShardId(0), replicas)]),
                next: None,
            },
        }
    }

    /// Keyspace 0, which describes the others and itself: one leader, elected, and a majority of
    /// `replicas` behind every change.
    pub fn catalogue(replicas: Vec<ReplicaSpec>) -> Self {
        let mut catalogue =
            Self::single_shard(KeyspaceId::CATALOGUE, "catalogue", "single-leader", &[]);
        catalogue.options.acks = Acks::Majority;
        catalogue.plugin_options = r#"{"single-leader":{"failover":"elect"}}"#.into();
        catalogue.placement.shards.insert(ShardId(0), replicas);
        catalogue
    }

    /// The replicas of a shard; empty for an unknown one.
    pub fn replicas(&self, shard: ShardId) -> &[ReplicaSpec] {
        self.placement.shards.get(&shard).map_or(&[], Vec::as_slice)
    }

    /// The nodes whose replicas count for acknowledgements.
    pub fn voters(&self, shard: ShardId) -> impl Iterator<Item = NodeId> + '_ {
        let counts = |spec: &&ReplicaSpec| spec.role == ReplicaRole::Replica;
        self.replicas(shard)
            .iter()
            .filter(counts)
            .map(|spec| spec.node)
    }

    /// The section of [`plugin_options`](Self::plugin_options) that belongs to plug-in `name`, or
    /// that plug-in's defaults.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming keyspace and section, when it does not parse.
    pub fn section<T>(&self, name: &str) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned,
    {
        let invalid = |detail: String| {
            Error::new(ErrorKind::ConfigInvalid, "read plug-in options")
                .with("keyspace", &self.name)
                .with("section", name)
                .with("detail", detail)
        };
        let text = if self.plugin_options.is_empty() {
            "{}"
        } else {
            &self.plugin_options
        };
        let mut sections: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let empty = || serde_json::Value::Object(serde_json::Map::default());
        let section = sections.remove(name).unwrap_or_else(empty);
        serde_json::from_value(section).map_err(|e| invalid(e.to_string()))
    }
}
