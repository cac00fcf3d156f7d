//! A cluster in this process.

use std::time::Duration;

use repertoire::{LocalCluster, LocalNetwork, LocalOptions};
use repertoire_client::{Client, Keyspace};
use repertoire_core::{Descriptor, Error, KeyspaceId, NodeId};
use repertoire_transport_quic::Mtu;

use super::NAME;
use crate::{BenchOptions, Network};

/// See the module's documentation.
pub(crate) struct Local {
    cluster: LocalCluster,
    client: Client,
    keyspace: Keyspace,
}

impl Local {
    pub(crate) async fn start(options: &BenchOptions) -> Result<Self, Error> {
        let mut local = LocalOptions::new("bench");
        local.folder.clone_from(&options.data);
        local.network = match options.transport {
            Network::Quic => LocalNetwork::Quic,
            Network::Memory => LocalNetwork::Memory,
        };
        if let Some(mtu) = options.mtu {
            local.quic.mtu = Mtu::Fixed(mtu);
        }
        let nodes: Vec<NodeId> = (1..=local.nodes).map(NodeId).collect();
        let alone = options.protocol == "standalone";
        let members = if alone {
            nodes.get(..1).unwrap_or_default()
        } else {
            &nodes
        };
        let mut keyspace =
            Descriptor::single_shard(KeyspaceId(1), NAME, &options.protocol, members);
        keyspace.options.acks = options.acks();
        keyspace.options.durability = options.medium();
        if let Some(bytes) = options.checkpoint_bytes {
            keyspace.options.checkpoint_bytes = bytes;
        }
        if let Some(bytes) = options.log_retention_bytes {
            keyspace.options.log_retention_bytes = bytes;
        }
        keyspace.engine.name.clone_from(&options.engine);
        keyspace.log_format.name.clone_from(&options.log_format);
        let cluster = LocalCluster::start(local, vec![keyspace]).await?;
        cluster.ready(Duration::from_secs(30)).await?;
        let leader = cluster.node(NodeId(1))?.handle().clone();
        let client = Client::builder()
            .node(leader)
            .deadline(Duration::from_secs(30))
            .acks(options.acks())
            .build()
            .await?;
        let keyspace = client.keyspace(NAME).await?;
        Ok(Self {
            cluster,
            client,
            keyspace,
        })
    }

    pub(crate) const fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// A client that reads at a follower.
    pub(crate) async fn follower(&self) -> Result<Keyspace, Error> {
        let follower = self.cluster.ids().last().unwrap_or(NodeId(1));
        let handle = self.cluster.node(follower)?.handle().clone();
        let client = Client::builder().node(handle).build().await?;
        Ok(client.keyspace(NAME).await?.at(follower))
    }

    /// `fdatasync` calls of all nodes so far.
    pub(crate) async fn syncs(&self) -> u64 {
        let mut syncs = 0;
        for id in self.cluster.ids() {
            let Ok(node) = self.cluster.node(id) else {
                continue;
            };
            let status = node.handle().status().await.unwrap_or_default();
            syncs += super::syncs_in(&status);
        }
        syncs
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.cluster.folder()
    }

    pub(crate) async fn stop(self) -> Result<(), Error> {
        drop(self.keyspace);
        drop(self.client);
        self.cluster.stop().await
    }
}
