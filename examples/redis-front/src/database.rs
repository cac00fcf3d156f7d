//! The database: nodes in this process, one keyspace for each database number, and the listener.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use repertoire::core::{Acks, Descriptor, Durability, Error, ErrorKind, KeyspaceId, NodeId};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::Client;

use crate::front::Front;
use crate::function::Redis;
use crate::server::Server;

/// How long the nodes may take to know every keyspace.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// Longest stored value: the longest payload and its head.
const VALUE_MAX: u32 = 512 * 1024;

/// Most databases: each is a keyspace with its own replicas on every node.
const DATABASES_MAX: usize = 256;

/// Bytes of requests of all connections that may wait or be under way.
const BUFFER_BYTES: usize = 64 << 20;

/// What a database is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens for clients; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where its nodes keep their data; a temporary folder when there is none.
    pub data: Option<PathBuf>,
    /// How many nodes, all in this process.
    pub nodes: u64,
    /// How many databases `SELECT` may choose from.
    pub databases: usize,
    /// Copies that a write needs before its client hears so.
    pub acks: Acks,
    /// The medium that each copy must have reached.
    pub durability: Durability,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 6379)),
            data: None,
            nodes: 3,
            databases: 16,
            acks: Acks::SemiSync(1),
            durability: Durability::Disk,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let invalid = |flag: &str, value: String, remedy: String| {
            Err(Error::new(ErrorKind::ConfigInvalid, "start the database")
                .with("flag", flag)
                .with("value", value)
                .with("remedy", remedy))
        };
        let nodes = usize::try_from(self.nodes).unwrap_or(usize::MAX);
        if !(1..=9).contains(&nodes) {
            return invalid("--nodes", nodes.to_string(), "choose 1 to 9".into());
        }
        if !(1..=DATABASES_MAX).contains(&self.databases) {
            let remedy = format!("choose 1 to {DATABASES_MAX}");
            return invalid("--databases", self.databases.to_string(), remedy);
        }
        if !self.acks.is_satisfiable(nodes) {
            let remedy = format!("{nodes} nodes can never satisfy it: choose fewer copies");
            return invalid("--ack", self.acks.to_string(), remedy);
        }
        Ok(())
    }

    fn keyspaces(&self) -> Vec<Descriptor> {
        let nodes: Vec<NodeId> = (1..=self.nodes).map(NodeId).collect();
        let keyspace = |(id, number): (u32, usize)| {
            let name = format!("db{number}");
            let id = KeyspaceId(id);
            let mut keyspace = Descriptor::single_shard(id, name, "single-leader", &nodes);
            keyspace.options.acks = self.acks;
            keyspace.options.durability = self.durability;
            keyspace.options.value_max = VALUE_MAX;
            keyspace
        };
        (1..).zip(0..self.databases).map(keyspace).collect()
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
    /// `ConfigInvalid`, naming flag and remedy, for options that cannot work, a folder that holds
    /// something else, an address in use; those of [`LocalCluster::start`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        options.check()?;
        let mut local = LocalOptions::new("redis-front");
        local.nodes = options.nodes;
        local.folder.clone_from(&options.data);
        let mut registry = repertoire::registry();
        registry.function(Arc::new(Redis));
        local.registry = Arc::new(registry);
        let cluster = LocalCluster::start(local, options.keyspaces()).await?;
        cluster.ready(READY_PATIENCE).await?;
        let front = front(&cluster, &options).await?;
        let server = Server::start(front, options.listen).await?;
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

    /// Ends every connection, then stops the nodes in order.
    ///
    /// # Errors
    /// That of the first node that fails to stop.
    pub async fn stop(self) -> Result<(), Error> {
        self.server.stop().await;
        self.cluster.stop().await
    }
}

async fn front(cluster: &LocalCluster, options: &Options) -> Result<Arc<Front>, Error> {
    // The leader is reached directly, the followers over QUIC: they may come and go.
    let leader = cluster.node(NodeId(1))?.handle().clone();
    let mut client = Client::builder()
        .node(leader)
        .tls(cluster.client_tls("redis-front")?)
        .buffer(BUFFER_BYTES);
    for node in cluster.ids().skip(1) {
        client = client.address(cluster.address(node)?);
    }
    let client = client.build().await?;
    let mut keyspaces = Vec::with_capacity(options.databases);
    for database in 0..options.databases {
        keyspaces.push(client.keyspace(&format!("db{database}")).await?);
    }
    let promise = format!("{} on {}", options.acks, options.durability);
    Ok(Front::new(client, keyspaces, cluster.ids(), promise))
}
