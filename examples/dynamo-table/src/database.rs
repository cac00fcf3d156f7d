//! The nodes in this process, the keyspaces, and the endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use repertoire::core::{Acks, Descriptor, Error, ErrorKind, KeyspaceId, NodeId};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::Client;

use crate::api::Front;
use crate::function::WriteItem;
use crate::server::Server;
use crate::sigv4::Credentials;

/// How long the nodes may take to know every keyspace.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// How long a request may take, elections included: shorter than the patience of the AWS clients.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a database is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens for clients; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where its nodes keep their data; a temporary folder when there is none.
    pub data: Option<PathBuf>,
    /// How many nodes, all in this process: 1 to 9.
    pub nodes: u64,
    /// Shards of the items: 1 to 1024.
    pub shards: u32,
    /// The key that requests must be signed with; without it nobody is asked.
    pub credentials: Option<Credentials>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: None,
            nodes: 3,
            shards: 8,
            credentials: None,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let invalid = |flag: &str, value: u64, remedy: &str| {
            Err(Error::new(ErrorKind::ConfigInvalid, "start the table")
                .with("flag", flag)
                .with("value", value)
                .with("remedy", remedy))
        };
        if !(1..=9).contains(&self.nodes) {
            return invalid("--nodes", self.nodes, "choose 1 to 9");
        }
        if !(1..=1024).contains(&self.shards) {
            return invalid("--shards", self.shards.into(), "choose 1 to 1024");
        }
        Ok(())
    }

    fn keyspace(&self, id: u32, name: &str) -> Descriptor {
        let nodes: Vec<NodeId> = (1..=self.nodes).map(NodeId).collect();
        let mut keyspace = Descriptor::single_shard(KeyspaceId(id), name, "single-leader", &nodes);
        if self.nodes == 1 {
            keyspace.options.acks = Acks::Async;
        }
        keyspace.plugin_options = r#"{"single-leader":{"failover":"elect"}}"#.to_owned();
        keyspace
    }
}

/// A running database.
#[derive(Debug)]
pub struct Database {
    cluster: LocalCluster,
    server: Server,
}

impl Database {
    /// Starts the nodes, then listens. A data folder that holds a database goes on with it.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming flag and remedy, for options that cannot work or an address in use; those
    /// of [`LocalCluster::start`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        options.check()?;
        let mut local = LocalOptions::new("dynamo-table");
        local.nodes = options.nodes;
        local.folder.clone_from(&options.data);
        let mut registry = repertoire::registry();
        registry.function(Arc::new(WriteItem));
        local.registry = Arc::new(registry);
        let keyspaces = vec![
            options.keyspace(1, "schema"),
            options.keyspace(2, "items").in_shards(options.shards),
        ];
        let cluster = LocalCluster::start(local, keyspaces).await?;
        cluster.ready(READY_PATIENCE).await?;
        let front = front(&cluster).await?;
        let server = Server::start(front, options.listen, options.credentials).await?;
        Ok(Self { cluster, server })
    }

    /// Where it listens for clients.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its nodes, to stop and start them.
    pub const fn cluster(&mut self) -> &mut LocalCluster {
        &mut self.cluster
    }

    /// Stops accepting, then stops the nodes in order.
    ///
    /// # Errors
    /// That of the first node that fails to stop.
    pub async fn stop(self) -> Result<(), Error> {
        self.server.stop().await;
        self.cluster.stop().await
    }
}

/// Over QUIC to every node: each of them may come and go.
async fn front(cluster: &LocalCluster) -> Result<Front, Error> {
    let mut client = Client::builder()
        .tls(cluster.client_tls("dynamo-table")?)
        .deadline(DEADLINE);
    for node in cluster.ids() {
        client = client.address(cluster.address(node)?);
    }
    let client = client.build().await?;
    Ok(Front {
        schema: client.keyspace("schema").await?,
        items: client.keyspace("items").await?,
        nodes: cluster.ids().collect(),
        turn: AtomicUsize::new(0),
    })
}
