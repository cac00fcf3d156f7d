//! What a node proposes to the cluster when it is formatted: descriptors and members.
//!
//! Every node proposes the same bytes: only `[cluster]` and `[keyspace]` are used, and all of it is
//! ordered.

use std::collections::BTreeMap;

use repertoire_core::{
    Descriptor, KeyspaceId, Member, NodeId, Placement, PluginRef, ReplicaSpec, ShardId, SlotMap,
    spread_replicas,
};

use crate::config::Config;
use crate::sections::KeyspaceConfig;

impl Config {
    /// The descriptors that this configuration proposes: keyspace 0, the catalogue, then the
    /// keyspaces, numbered from 1 in the order of their names.
    pub fn descriptors(&self) -> Vec<Descriptor> {
        let keyspaces = self.keyspaces.iter().zip(1_u32..);
        let proposed = keyspaces
            .map(|((name, keyspace), number)| self.descriptor(KeyspaceId(number), name, keyspace));
        std::iter::once(self.catalogue()).chain(proposed).collect()
    }

    /// The nodes of the cluster. Their disks are not known to a configuration.
    pub fn members(&self) -> Vec<Member> {
        let member = |(node, address): (&NodeId, &String)| Member {
            node: *node,
            incarnation: None,
            address: address.clone(),
            site: self.cluster.site_of(*node),
            has_left: false,
        };
        self.cluster.nodes.iter().map(member).collect()
    }

    fn catalogue(&self) -> Descriptor {
        let nodes: Vec<NodeId> = self.cluster.nodes.keys().copied().collect();
        let replicas = self.placed(&nodes, 1).into_values().next();
        Descriptor::catalogue(replicas.unwrap_or_default())
    }

    fn descriptor(&self, id: KeyspaceId, name: &str, keyspace: &KeyspaceConfig) -> Descriptor {
        let mut descriptor =
            Descriptor::single_shard(id, name, &keyspace.protocol, &keyspace.nodes);
        descriptor.resolver = keyspace.resolver.as_deref().map(PluginRef::named);
        descriptor.log_format = PluginRef::named(&keyspace.log_format);
        descriptor.engine = PluginRef::named(&keyspace.engine);
        descriptor.options = keyspace.options();
        descriptor.plugin_options = keyspace.plugin_options();
        descriptor.placement = Placement {
            slots: SlotMap::even(keyspace.shards),
            shards: self.placed(&keyspace.nodes, keyspace.shards),
            next: None,
        };
        descriptor
    }

    /// Every shard on all the nodes, each shard beginning with another one, so that protocols
    /// which prefer the first replica as leader spread their leaders.
    fn placed(&self, nodes: &[NodeId], shards: u32) -> BTreeMap<ShardId, Vec<ReplicaSpec>> {
        let spec = |node: &NodeId| ReplicaSpec {
            site: self.cluster.site_of(*node),
            ..ReplicaSpec::on(*node)
        };
        let replicas: Vec<ReplicaSpec> = nodes.iter().map(spec).collect();
        spread_replicas(&replicas, shards)
    }
}
