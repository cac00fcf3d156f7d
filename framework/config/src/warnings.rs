//! What is allowed, and often a mistake.

use std::net::SocketAddr;

use repertoire_core::{Acks, Durability};

use crate::config::Config;
use crate::error::ConfigError;
use crate::show;

impl Config {
    /// What works and may not be meant. Nothing here stops a node.
    pub fn warnings(&self) -> Vec<ConfigError> {
        let mut warnings = Vec::new();
        warnings.extend(self.unshared_site());
        warnings.extend(self.other_port());
        warnings.extend(self.weak_keyspaces());
        warnings
    }

    fn warning(&self, key: &str, value: &str, reason: String, remedy: &str) -> ConfigError {
        let shown = show::short(key, &value.into());
        ConfigError::new(self.origin_of(key), key, reason, remedy).with_value(shown)
    }

    fn unshared_site(&self) -> Option<ConfigError> {
        let (id, site) = (self.node.id, &self.node.site);
        (*site != self.cluster.site_of(id)).then(|| {
            let reason = "only this node knows its site: descriptors are made from cluster.sites";
            let remedy = "name the sites of all nodes in cluster.sites, the same on every node";
            self.warning("node.site", &site.0, reason.to_owned(), remedy)
        })
    }

    fn other_port(&self) -> Option<ConfigError> {
        let address = self.cluster.nodes.get(&self.node.id)?;
        let (_, port) = address.rsplit_once(':')?;
        let listen: SocketAddr = self.node.listen;
        (port.parse() != Ok(listen.port())).then(|| {
            let reason = format!("the other nodes dial {address}, which is another port");
            let remedy = "make the ports equal, unless something forwards one to the other";
            self.warning("node.listen", &listen.to_string(), reason, remedy)
        })
    }

    fn weak_keyspaces(&self) -> Vec<ConfigError> {
        let mut warnings = Vec::new();
        for (name, keyspace) in &self.keyspaces {
            if keyspace.nodes.len() < 2 {
                continue;
            }
            if keyspace.durability == Durability::Memory && keyspace.acks == Acks::Async {
                let key = format!("keyspace.{name}.durability");
                let reason = "with acks = \"async\", a crash of the leader's process loses writes \
                              that clients were told are done";
                let remedy = "keep it for data that can be lost";
                let value = keyspace.durability.to_string();
                warnings.push(self.warning(&key, &value, reason.to_owned(), remedy));
            }
            if keyspace.acks == Acks::Sync {
                let key = format!("keyspace.{name}.acks");
                let reason = "writes stop while any one of the nodes is away".to_owned();
                let remedy = "\"majority\" goes on without a minority of them";
                warnings.push(self.warning(&key, "sync", reason, remedy));
            }
        }
        warnings
    }
}
