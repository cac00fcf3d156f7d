//! A node: a data folder, an address, certificates and plug-ins, put together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repertoire_core::{
    ClusterId, Descriptor, Error, ErrorKind, Incarnation, Member, NodeId, Registry, Site,
    TOKEN_KEY_LEN, TokenKeys, Transport,
};
use repertoire_runtime::{
    Beginning, DiskWitness, FOLDER_VERSION, FenceHook, Identity, MakeTransport, NodeHandle,
    NodeParts, RuntimeOptions, begin_start, format_folder, read_identity, settle, start_node,
};
use repertoire_segment_log::{Options as LogOptions, OsDisk, SegmentLog};
use repertoire_transport_quic::certs::TlsIdentity;
use repertoire_transport_quic::{QuicConfig, QuicSettings, QuicTransport};

use crate::door::Door;

/// What a data folder is formatted with.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// The cluster's name; its certificates carry it.
    pub cluster_name: String,
    /// The cluster's identity; every node of a cluster is formatted with the same.
    pub cluster: ClusterId,
    /// The node's identity; never used before in this cluster.
    pub node: NodeId,
    /// The node's failure domain.
    pub site: Site,
}

/// A fresh cluster identity.
///
/// # Errors
/// `Unexpected` when the operating system gives no randomness.
pub fn new_cluster_id() -> Result<ClusterId, Error> {
    random_u128().map(ClusterId)
}

/// A fresh secret for the session tokens of a cluster; see [`TokenKeys`].
///
/// # Errors
/// `Unexpected` when the operating system gives no randomness.
pub fn new_token_secret() -> Result<[u8; TOKEN_KEY_LEN], Error> {
    let mut secret = [0; TOKEN_KEY_LEN];
    for half in secret.chunks_mut(16) {
        half.copy_from_slice(&random_u128()?.to_le_bytes());
    }
    Ok(secret)
}

/// The cluster identity that a name stands for, so that nodes formatted on different machines
/// agree on it without exchanging anything.
pub fn cluster_id_of(name: &str) -> ClusterId {
    let digest = repertoire_core::RowDigest::of(
        repertoire_core::Space::Local,
        b"repertoire cluster",
        name.as_bytes(),
    );
    ClusterId(digest.0)
}

/// Prepares an empty folder for a node. Done once in a node's life: a folder that is formatted
/// again is another disk.
///
/// # Errors
/// `ConfigInvalid` when the folder is not empty, `StorageFailed` when it cannot be written.
pub fn format(data: &Path, options: &FormatOptions) -> Result<Identity, Error> {
    let identity = Identity {
        folder_version: FOLDER_VERSION,
        cluster: options.cluster,
        cluster_name: options.cluster_name.clone(),
        node: options.node,
        incarnation: Incarnation(random_u128()?),
        log: None,
        site: options.site.clone(),
    };
    format_folder(data, &identity)?;
    Ok(identity)
}

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The formatted data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The other nodes: id and `host:port`.
    pub peers: Vec<(NodeId, String)>,
    /// Certificates and key.
    pub tls: TlsIdentity,
    /// The keyspaces that the cluster is formatted with, keyspace 0 first.
    pub keyspaces: Vec<Descriptor>,
    /// The nodes that the cluster is formatted with.
    pub members: Vec<Member>,
    /// The plug-ins.
    pub registry: Arc<Registry>,
    /// Settings of the log; identity is filled in from the data folder.
    pub log: LogOptions,
    /// Settings of the network.
    pub quic: QuicSettings,
    /// Digest of the configuration that all nodes must share.
    pub config_digest: Option<u64>,
    /// Bytes of requests that may be under way, over all sessions.
    pub request_bytes_max: usize,
    /// Bytes of requests that one session may have under way.
    pub session_bytes_max: usize,
    /// Bytes of frames from other nodes that may wait to be handled.
    pub peer_bytes_max: usize,
    /// The cluster's keys for session tokens, the same on every node; without them this node seals
    /// and opens none.
    pub token_keys: Option<TokenKeys>,
    /// Cuts a former leader off before a replica of this node is promoted; none: nothing has to be.
    pub fence: Option<Arc<dyn FenceHook>>,
}

impl NodeOptions {
    /// Defaults.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr, tls: TlsIdentity) -> Self {
        let data = data.into();
        let runtime = RuntimeOptions::new(&data);
        Self {
            data,
            listen,
            peers: Vec::new(),
            tls,
            keyspaces: Vec::new(),
            members: Vec::new(),
            registry: Arc::new(crate::registry()),
            log: LogOptions::new(0),
            quic: QuicSettings::default(),
            config_digest: None,
            request_bytes_max: runtime.request_bytes_max,
            session_bytes_max: runtime.session_bytes_max,
            peer_bytes_max: runtime.peer_bytes_max,
            token_keys: None,
            fence: None,
        }
    }
}

/// A running node with its network.
#[derive(Clone, Debug)]
pub struct Node {
    handle: NodeHandle,
    quic: Option<QuicTransport>,
}

impl Node {
    /// Starts a node: recovers what its folder holds, then listens.
    ///
    /// # Errors
    /// `ConfigInvalid` for a folder that was never formatted, certificates of another node or
    /// cluster, an address in use, unknown plug-ins; `FolderInUse`; `Corrupted` when the folder's contents do not
    /// fit together; `StorageFailed` when they cannot be read.
    pub async fn start(options: NodeOptions) -> Result<Self, Error> {
        let identity = read_identity(&options.data)?;
        check_certificate(&identity, &options.tls)?;
        let lock = crate::lock::lock_folder(&options.data)?;
        let beginning = begin_start(&options.data, identity, random_u128()?)?;
        let witness = Arc::new(DiskWitness::open(&options.data)?);
        let config = quic_config(&options, &beginning, Arc::clone(&witness));
        let quic = QuicTransport::new(config)?;
        let shared = quic.clone();
        let connect: MakeTransport = Box::new(move |handle| {
            witness.watch_over(handle);
            shared.serve_clients(Arc::new(Door::new(handle.clone())));
            Ok(Arc::new(shared) as Arc<dyn Transport>)
        });
        let handle = start_node(parts(options, &beginning, lock, connect)?).await?;
        let quic = Some(quic);
        Ok(Self { handle, quic })
    }

    /// Starts a node that talks to the others over `transport`. Of the options, those of the network
    /// (address, peers, certificates, QUIC) are without effect, and clients reach the node through
    /// its [`handle`](Self::handle) only.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) that do not concern the network, and the transport's.
    pub async fn start_on(
        options: NodeOptions,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, Error> {
        let identity = read_identity(&options.data)?;
        let lock = crate::lock::lock_folder(&options.data)?;
        let beginning = begin_start(&options.data, identity, random_u128()?)?;
        let connect: MakeTransport = Box::new(move |_| Ok(transport));
        let handle = start_node(parts(options, &beginning, lock, connect)?).await?;
        Ok(Self { handle, quic: None })
    }

    /// The running node: sessions, status, stop.
    pub const fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Where the node listens, if it does.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.quic()?.local_addr()
    }

    /// The network, for statistics and for adding peers; `None` on another transport.
    pub const fn quic(&self) -> Option<&QuicTransport> {
        self.quic.as_ref()
    }
}

fn quic_config(
    options: &NodeOptions,
    beginning: &Beginning,
    witness: Arc<DiskWitness>,
) -> QuicConfig {
    let identity = &beginning.identity;
    QuicConfig {
        node: identity.node,
        incarnation: identity.incarnation,
        cluster: identity.cluster,
        listen: options.listen,
        peers: options.peers.clone(),
        tls: options.tls.clone(),
        feature_level: 1,
        config_digest: options.config_digest,
        lineage: beginning.lineage.clone(),
        witness: Some(witness),
        settings: options.quic,
    }
}

fn parts(
    options: NodeOptions,
    beginning: &Beginning,
    lock: std::fs::File,
    transport: MakeTransport,
) -> Result<NodeParts, Error> {
    let log = open_log(&options, beginning)?;
    let mut runtime = RuntimeOptions::new(&options.data);
    runtime.proposed = options.keyspaces;
    runtime.members = options.members;
    runtime.request_bytes_max = options.request_bytes_max;
    runtime.session_bytes_max = options.session_bytes_max;
    runtime.peer_bytes_max = options.peer_bytes_max;
    runtime.token_keys = options.token_keys;
    runtime.fence = options.fence;
    Ok(NodeParts {
        options: runtime,
        registry: options.registry,
        log: Box::new(log),
        transport,
        folder_lock: Some(lock),
    })
}

fn open_log(options: &NodeOptions, beginning: &Beginning) -> Result<SegmentLog<OsDisk>, Error> {
    let folder = options.data.join("log");
    let disk = OsDisk::open(&folder).map_err(|e| {
        Error::new(ErrorKind::StorageFailed, "open the log")
            .with("folder", folder.display())
            .with("detail", e)
    })?;
    let identity = &beginning.identity;
    let log = LogOptions {
        identity: identity.log.unwrap_or(identity.incarnation).0,
        distrusted: beginning.is_disowned,
        ..options.log.clone()
    };
    let log = SegmentLog::open(disk, log)?;
    if beginning.is_disowned {
        settle(&options.data)?;
    }
    Ok(log)
}

fn check_certificate(identity: &Identity, tls: &TlsIdentity) -> Result<(), Error> {
    use repertoire_transport_quic::certs::Identity as Name;
    let expected = Name::Node(identity.node);
    if *tls.identity() == expected && tls.cluster() == identity.cluster_name {
        return Ok(());
    }
    Err(Error::new(ErrorKind::ConfigInvalid, "start a node")
        .with("setting", "tls.cert")
        .with("certificate", tls.identity().dns_name(tls.cluster()))
        .with("expected", expected.dns_name(&identity.cluster_name))
        .with("detail", "use the certificate that was issued to this node"))
}

pub(crate) fn random_u128() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "draw a random number").with("detail", e))?;
    Ok(u128::from_le_bytes(bytes))
}
