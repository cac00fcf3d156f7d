//! The section `standalone` of a keyspace's configuration, and what descriptors it can serve.

use serde::Deserialize;

use repertoire_core::{Descriptor, Error, ErrorKind, ReplicaRole, ShardId};

/// The protocol's name in configuration files, and of its section there.
pub const NAME: &str = "standalone";

/// The section `standalone`: it has no settings. An unknown key is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Config {
    /// Reads the section of a descriptor.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming keyspace and section.
    pub fn of(descriptor: &Descriptor) -> Result<Self, Error> {
        descriptor.section(NAME)
    }
}

/// Refuses descriptors that ask for a second copy or place one.
pub(crate) fn validate(descriptor: &Descriptor) -> Result<(), Error> {
    Config::of(descriptor)?;
    let acks = descriptor.options.acks;
    if !acks.is_satisfiable(1) {
        return Err(invalid(
            descriptor,
            "acks",
            acks,
            "set acks = \"async\": there is one copy",
        ));
    }
    for (shard, replicas) in &descriptor.placement.shards {
        let holders = replicas
            .iter()
            .filter(|spec| spec.role == ReplicaRole::Replica);
        if replicas.len() != 1 || holders.count() != 1 {
            let setting = placed_on(*shard, replicas.len());
            let remedy = "place each shard on exactly one node, or choose another protocol";
            return Err(invalid(descriptor, "placement", setting, remedy));
        }
    }
    Ok(())
}

fn placed_on(shard: ShardId, nodes: usize) -> String {
    format!("{shard} on {nodes} nodes")
}

fn invalid(
    descriptor: &Descriptor,
    setting: &str,
    value: impl std::fmt::Display,
    remedy: &str,
) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "validate a standalone keyspace")
        .with("keyspace", &descriptor.name)
        .with("setting", setting)
        .with("value", value)
        .with("remedy", remedy)
}

#[cfg(test)]
mod tests {
    use repertoire_core::{Acks, KeyspaceId, NodeId};

    use super::*;

    fn descriptor(nodes: &[u64]) -> Descriptor {
        let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
        let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "notes", NAME, &nodes);
        descriptor.options.acks = Acks::Async;
        descriptor
    }

    #[test]
    fn one_replica_with_one_copy_is_accepted() {
        assert!(validate(&descriptor(&[1])).is_ok());
    }

    #[test]
    fn acks_that_need_a_second_copy_are_refused_with_a_remedy() {
        let mut asks_two = descriptor(&[1]);
        asks_two.options.acks = Acks::SemiSync(1);
        let error = validate(&asks_two).unwrap_err().to_string();
        assert!(
            error.contains("notes") && error.contains("remedy"),
            "{error}"
        );
    }

    #[test]
    fn a_second_replica_is_refused() {
        assert!(validate(&descriptor(&[1, 2])).is_err());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let mut wrong = descriptor(&[1]);
        wrong.plugin_options = r#"{"standalone": {"leader": 1}}"#.to_owned();
        assert!(validate(&wrong).is_err());
    }
}
