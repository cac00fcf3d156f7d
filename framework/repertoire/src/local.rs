//! A cluster of nodes in this process, on loopback: for demos, tests and benchmarks.
//!
//! Everything is real: QUIC with mutual TLS (certificates of a throw-away authority), log files,
//! threads of its own for every node. Only the machine is shared; and the network, on request, is
//! left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repertoire_core::{
    Descriptor, Error, ErrorKind, KeyspaceId, Member, NodeId, Registry, ReplicaSpec, Site,
    TokenKeys,
};
use repertoire_segment_log::Options as LogOptions;
use repertoire_transport_faulty::{FaultPlan, FaultyTransport};
use repertoire_transport_memory::MemoryHub;
use repertoire_transport_quic::QuicSettings;
use repertoire_transport_quic::certs::{ClusterAuthority, Identity, TlsIdentity, Validity};

use crate::node::{FormatOptions, Node, NodeOptions, cluster_id_of, format, new_token_secret};

/// Days that the certificates of a local cluster are good for.
const CERT_DAYS: u32 = 30;

/// The file that keeps the nodes' addresses, one a line.
const ADDRESSES: &str = "addresses";

/// Ports of local clusters: below those that Linux (from 32768) and others (from 49152) hand out.
const PORTS: (u16, u16) = (20_000, 32_000);

/// Ports tried before giving up.
const PORT_TRIES: u32 = 64;

/// How long [`LocalCluster::replicated`] waits for its nodes: far beyond what a loaded machine needs.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// How the nodes of a local cluster talk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalNetwork {
    /// QUIC on loopback, as between machines.
    #[default]
    Quic,
    /// Queues in this process: what is left when the network costs nothing. Clients reach the nodes
    /// through their handles only.
    Memory,
    /// As `Memory`, over links that [`LocalCluster::faults`] cuts and slows down.
    Faulty,
}

/// What a local cluster is made of.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The cluster's name.
    pub name: String,
    /// How many nodes; numbered from 1.
    pub nodes: u64,
    /// Where the data folders go; a temporary folder, removed in the end, when there is none.
    pub folder: Option<PathBuf>,
    /// The plug-ins.
    pub registry: Arc<Registry>,
    /// Settings of the logs.
    pub log: LogOptions,
    /// How the nodes talk.
    pub network: LocalNetwork,
    /// Settings of QUIC.
    pub quic: QuicSettings,
    /// Bytes of requests that may be under way on each node.
    pub request_bytes_max: usize,
}

impl LocalOptions {
    /// Three nodes in a temporary folder.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 3,
            folder: None,
            registry: Arc::new(crate::registry()),
            log: LogOptions::new(0),
            network: LocalNetwork::default(),
            quic: QuicSettings::default(),
            request_bytes_max: 64 << 20,
        }
    }
}

enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

/// A cluster of nodes in this process.
pub struct LocalCluster {
    options: LocalOptions,
    folder: Folder,
    authority: ClusterAuthority,
    token_keys: TokenKeys,
    hub: MemoryHub,
    addresses: Vec<SocketAddr>,
    /// How many nodes the cluster began with.
    founders: usize,
    keyspaces: Vec<Descriptor>,
    nodes: Vec<Option<Node>>,
    faults: BTreeMap<NodeId, FaultyTransport>,
}

impl std::fmt::Debug for LocalCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCluster")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl LocalCluster {
    /// The shortest way to a cluster: three nodes in a temporary folder, with these keyspaces
    /// replicated to all of them by `single-leader` (node 1 leads), ready for clients.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and `Timeout` when the nodes are not ready in half a minute.
    pub async fn replicated(name: &str, keyspaces: &[&str]) -> Result<Self, Error> {
        let options = LocalOptions::new(name);
        let nodes: Vec<NodeId> = (1..=options.nodes).map(NodeId).collect();
        let described = (1..).zip(keyspaces).map(|(id, keyspace)| {
            Descriptor::single_shard(KeyspaceId(id), *keyspace, "single-leader", &nodes)
        });
        let cluster = Self::start(options, described.collect()).await?;
        cluster.ready(READY_PATIENCE).await?;
        Ok(cluster)
    }

    /// Formats and starts the nodes; nodes whose data folders are formatted already go on where
    /// they were. `keyspaces` come without keyspace 0, which is added; their numbers must be 1 and
    /// up.
    ///
    /// # Errors
    /// Those of [`Node::start`], and `StorageFailed` when no folder can be made.
    pub async fn start(options: LocalOptions, keyspaces: Vec<Descriptor>) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::StorageFailed, "make a folder").with("detail", e)
        };
        let folder = match &options.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(failed)?;
                Folder::Kept(folder.clone())
            }
            None => Folder::Temporary(tempfile::tempdir().map_err(failed)?),
        };
        let authority = ClusterAuthority::create(&options.name, Validity::days(CERT_DAYS))?;
        let ids: Vec<NodeId> = (1..=options.nodes).map(NodeId).collect();
        let addresses = addresses(folder.path(), ids.len())?;
        let replicas = ids.iter().copied().map(ReplicaSpec::on).collect();
        let catalogue = Descriptor::catalogue(replicas);
        let keyspaces = std::iter::once(catalogue).chain(keyspaces).collect();
        let nodes = ids.iter().map(|_| None).collect();
        let mut cluster = Self {
            founders: ids.len(),
            options,
            folder,
            authority,
            token_keys: TokenKeys::single(&new_token_secret()?),
            hub: MemoryHub::default(),
            addresses,
            keyspaces,
            nodes,
            faults: BTreeMap::new(),
        };
        for id in ids {
            if is_empty(&cluster.data(id)) {
                format(&cluster.data(id), &cluster.format_options(id))?;
            }
            cluster.start_node(id).await?;
        }
        Ok(cluster)
    }

    /// Starts a node that was stopped.
    ///
    /// # Errors
    /// Those of [`Node::start`].
    pub async fn start_node(&mut self, id: NodeId) -> Result<(), Error> {
        let index = self.index(id)?;
        let options = self.node_options(id)?;
        let node = match self.options.network {
            LocalNetwork::Quic => Node::start(options).await?,
            LocalNetwork::Memory => {
                Node::start_on(options, Arc::new(self.hub.transport(id))).await?
            }
            LocalNetwork::Faulty => {
                let below = Arc::new(self.hub.transport(id));
                let faulty = FaultyTransport::new(below, FaultPlan::default());
                self.faults.insert(id, faulty.clone());
                Node::start_on(options, Arc::new(faulty)).await?
            }
        };
        if let Some(place) = self.nodes.get_mut(index) {
            *place = Some(node);
        }
        Ok(())
    }

    /// Formats and starts one more node, which belongs to nothing yet: `repertoire_client`'s `Operator`
    /// takes it in. Over QUIC only: elsewhere all nodes of a hub talk to each other.
    ///
    /// # Errors
    /// Those of [`Node::start`], and `StorageFailed` when its folder cannot be made.
    pub async fn add_node(&mut self) -> Result<NodeId, Error> {
        let id = NodeId(self.options.nodes + 1);
        self.addresses.push(free_address()?);
        self.nodes.push(None);
        self.options.nodes = id.0;
        save_addresses(&self.folder.path().join(ADDRESSES), &self.addresses)?;
        format(&self.data(id), &self.format_options(id))?;
        self.start_node(id).await?;
        Ok(id)
    }

    /// Stops a node in order.
    ///
    /// # Errors
    /// Those of its stop.
    pub async fn stop_node(&mut self, id: NodeId) -> Result<(), Error> {
        let index = self.index(id)?;
        match self.nodes.get_mut(index).and_then(Option::take) {
            Some(node) => node.handle().stop(Duration::from_millis(200)).await,
            None => Ok(()),
        }
    }

    /// A running node.
    ///
    /// # Errors
    /// `Unavailable` when it does not run.
    pub fn node(&self, id: NodeId) -> Result<&Node, Error> {
        let index = self.index(id)?;
        let stopped = || Error::new(ErrorKind::Unavailable, "use a node").with("node", id);
        self.nodes
            .get(index)
            .and_then(Option::as_ref)
            .ok_or_else(stopped)
    }

    /// What a node's links are made to suffer: its own end of them, from its start on without a fault.
    ///
    /// ```
    /// # use repertoire::core::{Error, NodeId};
    /// use repertoire::{Direction, LocalCluster, LocalNetwork, LocalOptions};
    ///
    /// # async fn demo() -> Result<(), Error> {
    /// let mut options = LocalOptions::new("lab");
    /// options.network = LocalNetwork::Faulty;
    /// let cluster = LocalCluster::start(options, Vec::new()).await?;
    /// // Node 3 hears nothing of node 1 any more.
    /// cluster.faults(NodeId(3))?.cut(NodeId(1), Direction::In);
    /// # cluster.stop().await
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(demo()).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unsupported` unless the network is [`LocalNetwork::Faulty`]; `ConfigInvalid` for a number
    /// that no node has.
    pub fn faults(&self, id: NodeId) -> Result<&FaultyTransport, Error> {
        self.index(id)?;
        self.faults.get(&id).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "make links faulty")
                .with("network", format!("{:?}", self.options.network))
                .with("remedy", "start the cluster with LocalNetwork::Faulty")
        })
    }

    /// The nodes' numbers.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.options.nodes).map(NodeId)
    }

    /// Where the nodes listen, in the order of their numbers.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where a node listens, running or not, as `host:port` for a client's list.
    ///
    /// # Errors
    /// `ConfigInvalid` for a number that no node has.
    pub fn address(&self, id: NodeId) -> Result<String, Error> {
        let index = self.index(id)?;
        let address = self.addresses.get(index).map(ToString::to_string);
        address.ok_or_else(|| Error::new(ErrorKind::Unexpected, "find a node").with("node", id))
    }

    /// The keyspaces, keyspace 0 first.
    pub fn keyspaces(&self) -> &[Descriptor] {
        &self.keyspaces
    }

    /// Waits until every running node knows every keyspace.
    ///
    /// # Errors
    /// `Timeout` after `patience`.
    pub async fn ready(&self, patience: Duration) -> Result<(), Error> {
        let names = || self.keyspaces.iter().map(|descriptor| &descriptor.name);
        let known = |node: &Node| {
            let catalogue = node.handle().catalogue();
            names().all(|name| catalogue.by_name(name).is_ok())
        };
        let all = async {
            while !self.nodes.iter().flatten().all(known) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, all).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "start a cluster")
                .with("detail", "not every node knows every keyspace")
        })
    }

    /// Certificates for a client of this cluster.
    ///
    /// # Errors
    /// `Unexpected` when the authority fails.
    pub fn client_tls(&self, name: &str) -> Result<TlsIdentity, Error> {
        self.tls(&Identity::Client(name.to_owned()))
    }

    /// The cluster's authority, to issue more certificates.
    pub const fn authority(&self) -> &ClusterAuthority {
        &self.authority
    }

    /// The folder that holds the nodes' data folders.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A node's data folder.
    pub fn data(&self, id: NodeId) -> PathBuf {
        self.folder.path().join(format!("node-{}", id.0))
    }

    /// Stops every node in order.
    ///
    /// # Errors
    /// The first failure; the others are stopped all the same.
    pub async fn stop(mut self) -> Result<(), Error> {
        let mut result = Ok(());
        for id in self.ids() {
            let stopped = self.stop_node(id).await;
            result = result.and(stopped);
        }
        result
    }

    fn index(&self, id: NodeId) -> Result<usize, Error> {
        let known = id.0 >= 1 && id.0 <= self.options.nodes;
        let index = usize::try_from(id.0.saturating_sub(1))
            .ok()
            .filter(|_| known);
        index.ok_or_else(|| Error::new(ErrorKind::ConfigInvalid, "use a node").with("node", id))
    }

    fn tls(&self, who: &Identity) -> Result<TlsIdentity, Error> {
        let issued = self.authority.issue(who, CERT_DAYS)?;
        TlsIdentity::from_pem(self.authority.cert_pem(), &issued.cert_pem, &issued.key_pem)
    }

    fn format_options(&self, node: NodeId) -> FormatOptions {
        FormatOptions {
            cluster_name: self.options.name.clone(),
            cluster: cluster_id_of(&self.options.name),
            node,
            site: Site::default(),
        }
    }

    fn node_options(&self, id: NodeId) -> Result<NodeOptions, Error> {
        let index = self.index(id)?;
        let listen = self.addresses.get(index).copied();
        let listen = listen.ok_or_else(|| Error::new(ErrorKind::Unexpected, "start a node"))?;
        let mut node = NodeOptions::new(self.data(id), listen, self.tls(&Identity::Node(id))?);
        let all = || self.ids().zip(&self.addresses).take(self.founders);
        let peers = all().filter(|(other, _)| *other != id);
        node.peers = peers.map(|(other, at)| (other, at.to_string())).collect();
        node.keyspaces.clone_from(&self.keyspaces);
        node.members = all().map(|(other, at)| member(other, *at)).collect();
        node.registry = Arc::clone(&self.options.registry);
        node.log = self.options.log.clone();
        node.quic = self.options.quic;
        node.token_keys = Some(self.token_keys.clone());
        node.request_bytes_max = self.options.request_bytes_max;
        Ok(node)
    }
}

fn member(node: NodeId, address: SocketAddr) -> Member {
    Member {
        node,
        incarnation: None,
        address: address.to_string(),
        site: Site::default(),
        has_left: false,
    }
}

/// The addresses that the folder's nodes had before, because the catalogue tells clients about them;
/// free ones for a new folder.
fn addresses(folder: &Path, count: usize) -> Result<Vec<SocketAddr>, Error> {
    let path = folder.join(ADDRESSES);
    if let Ok(text) = std::fs::read_to_string(&path) {
        let known: Vec<SocketAddr> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if known.len() == count {
            return Ok(known);
        }
        return Err(Error::new(ErrorKind::ConfigInvalid, "open a cluster")
            .with("file", path.display())
            .with("nodes", known.len())
            .with("expected", count)
            .with("remedy", "start it with as many nodes as it was made with"));
    }
    let free: Vec<_> = (0..count)
        .map(|_| free_address())
        .collect::<Result<_, _>>()?;
    save_addresses(&path, &free)?;
    Ok(free)
}

fn save_addresses(path: &Path, addresses: &[SocketAddr]) -> Result<(), Error> {
    let lines: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    std::fs::write(path, lines.join("\n")).map_err(|e| {
        Error::new(ErrorKind::StorageFailed, "make a cluster")
            .with("file", path.display())
            .with("detail", e)
    })
}

/// Whether a folder is missing or holds nothing.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// Ports that clusters of this process were given. Two clusters started at once must not draw the same.
static DRAWN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// An address that nobody uses. It is taken a little later only, so it is drawn from ports that systems
/// do not hand out by themselves: a socket opened meanwhile, of a client for instance, gets another.
fn free_address() -> Result<SocketAddr, Error> {
    let (first, last) = PORTS;
    let mut failure = None;
    for _ in 0..PORT_TRIES {
        let draw = crate::node::random_u128()? % u128::from(last - first + 1);
        let port = first + u16::try_from(draw).unwrap_or(0);
        let is_new = DRAWN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(port);
        if !is_new {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match UdpSocket::bind(address) {
            Ok(_) => return Ok(address),
            Err(error) => failure = Some(error),
        }
    }
    let error = Error::new(ErrorKind::Unexpected, "find a free port");
    Err(match failure {
        Some(failure) => error.with("detail", failure),
        None => error,
    })
}
