//! The typed sections.

mod keyspace;
mod transport;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use repertoire_core::{NodeId, Site};
use serde::{Deserialize, Serialize};

pub use keyspace::KeyspaceConfig;
pub(crate) use keyspace::sorted;
pub use transport::{Mtu, TransportConfig};

/// `[node]`: this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeConfig {
    /// Which node it is.
    pub id: NodeId,
    /// Its failure domain.
    pub site: Site,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// The command that cuts a former leader off before a replica of this node is promoted.
    #[serde(default)]
    pub fence_command: Option<PathBuf>,
    /// How long it may take, in milliseconds.
    #[serde(default = "fence_timeout_ms")]
    pub fence_timeout_ms: u64,
    /// The cluster was founded without it.
    #[serde(default)]
    pub joins: bool,
}

const fn fence_timeout_ms() -> u64 {
    10_000
}

/// `[tls]`: who this node is, and whom it trusts. Paths only; keys are never part of a
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The authorities.
    pub ca: PathBuf,
    /// The certificate.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The cluster's keys for session tokens; the file `token.key` beside the certificate, where
    /// there is one, when nothing is said.
    #[serde(default)]
    pub token_key: Option<PathBuf>,
}

impl TlsConfig {
    /// The file with the keys for session tokens, if there is one.
    pub fn token_key_file(&self) -> Option<PathBuf> {
        let beside = || self.cert.with_file_name("token.key");
        let named = self.token_key.clone();
        named.or_else(|| Some(beside()).filter(|file| file.exists()))
    }
}

/// `[cluster]`: what all nodes say alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// The cluster's name.
    pub name: String,
    /// The nodes and their addresses, `host:port`.
    pub nodes: BTreeMap<NodeId, String>,
    /// The sites of nodes that are not in the site `main`.
    #[serde(default)]
    pub sites: BTreeMap<NodeId, Site>,
}

impl ClusterConfig {
    /// The failure domain of a node.
    pub fn site_of(&self, node: NodeId) -> Site {
        let main = || Site(MAIN_SITE.to_owned());
        self.sites.get(&node).cloned().unwrap_or_else(main)
    }
}

/// The site of nodes that have no other.
pub(crate) const MAIN_SITE: &str = "main";

/// `[log]`: the node's log files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// Bytes of a file.
    pub segment_bytes: u32,
    /// Bytes of all files together; `None` for as many as the disk has.
    #[serde(with = "or_unlimited")]
    pub capacity_bytes: Option<u64>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            capacity_bytes: None,
        }
    }
}

/// `[limits]`: bytes under way inside the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Of requests, over all sessions.
    pub request_bytes_max: u64,
    /// Of requests of one session.
    pub session_bytes_max: u64,
    /// Of frames from other nodes.
    pub peer_bytes_max: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            request_bytes_max: 64 << 20,
            session_bytes_max: 16 << 20,
            peer_bytes_max: 64 << 20,
        }
    }
}

/// A number, or the word `unlimited`.
mod or_unlimited {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form {
        Bytes(u64),
        Word(String),
    }

    #[allow(
        clippy::ref_option,
        reason = "serde calls it with a reference to the field"
    )]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let form = value.map_or_else(|| Form::Word("unlimited".to_owned()), Form::Bytes);
        form.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Bytes(bytes) => Ok(Some(bytes)),
            Form::Word(word) if word == "unlimited" => Ok(None),
            Form::Word(_) => Err(serde::de::Error::custom("neither a number nor `unlimited`")),
        }
    }
}
