//! The section `chain` of a keyspace's configuration, and what descriptors the protocol can serve.

use std::time::Duration;

use repertoire_core::{
    Acks, Descriptor, Durability, Error, ErrorKind, NodeId, ReplicaRole, ShardId,
};
use serde::Deserialize;

/// The protocol's name in configuration files, and of its section there.
pub const NAME: &str = "chain";

/// Acknowledgements count copies in a byte; a chain is slow long before.
const REPLICAS_MAX: usize = 64;

/// The section `chain`. An unknown key is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A replica that has heard nothing of its predecessor for so many milliseconds asks it to go on.
    pub ask_interval_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ask_interval_ms: 50,
        }
    }
}

impl Config {
    /// Reads the section of a descriptor.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming keyspace and section.
    pub fn of(descriptor: &Descriptor) -> Result<Self, Error> {
        descriptor.section(NAME)
    }

    pub(crate) fn ask_interval(self) -> Duration {
        Duration::from_millis(self.ask_interval_ms.into())
    }
}

/// Where a replica stands in its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The replica that orders writes.
    pub(crate) head: NodeId,
    /// Whom it gets entries from; none for the head.
    pub(crate) predecessor: Option<NodeId>,
    /// Whom it passes them on to; none for the tail.
    pub(crate) successor: Option<NodeId>,
    /// Replicas of the chain.
    pub(crate) replicas: u8,
}

impl Place {
    /// The place of `me`: the chain has the order of the placement. `None` without a replica there.
    pub(crate) fn of(descriptor: &Descriptor, shard: ShardId, me: NodeId) -> Option<Self> {
        let chain: Vec<NodeId> = descriptor.voters(shard).collect();
        let at = chain.iter().position(|node| *node == me)?;
        Some(Self {
            head: *chain.first()?,
            predecessor: at.checked_sub(1).and_then(|at| chain.get(at)).copied(),
            successor: chain.get(at + 1).copied(),
            replicas: u8::try_from(chain.len()).ok()?,
        })
    }
}

// ANCHOR: validate
/// Refuses descriptors that the protocol cannot serve.
pub(crate) fn validate(descriptor: &Descriptor) -> Result<(), Error> {
    let refuse = |setting: &str, value: &dyn std::fmt::Display, remedy: &str| {
        let error = Error::new(ErrorKind::ConfigInvalid, "validate a chain keyspace");
        Err(error
            .with("keyspace", &descriptor.name)
            .with("setting", setting)
            .with("value", value)
            .with("remedy", remedy))
    };
    let options = &descriptor.options;
    if options.acks != Acks::Sync {
        let remedy = "set acks = \"sync\": a chain acknowledges what all of its replicas hold";
        return refuse("acks", &options.acks, remedy);
    }
    if options.durability != Durability::Disk {
        let remedy = "set durability = \"disk\": no replica may lose what its successor holds";
        return refuse("durability", &options.durability, remedy);
    }
    if Config::of(descriptor)?.ask_interval_ms == 0 {
        return refuse("ask_interval_ms", &0, "set at least 1");
    }
    for replicas in descriptor.placement.shards.values() {
        let is_whole = replicas.iter().all(|r| r.role == ReplicaRole::Replica);
        if !is_whole || !(1..=REPLICAS_MAX).contains(&replicas.len()) {
            let remedy = "place each shard on 1 to 64 nodes, all of them full replicas";
            return refuse("placement", &replicas.len(), remedy);
        }
    }
    Ok(())
}
// ANCHOR_END: validate
