//! Clusters on loopback, for tests.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

pub(crate) mod raw;

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use repertoire_conformance::transport::Recorder;
use repertoire_core::{ClusterId, Incarnation, Lineage, NodeId, Transport as _};
use repertoire_transport_quic::certs::{ClusterAuthority, Identity, TlsIdentity, Validity};
use repertoire_transport_quic::{
    ClientConfig, QuicConfig, QuicSettings, QuicTransport, RefusalReason,
};

/// A cluster's authority.
pub(crate) struct Cluster {
    pub(crate) authority: ClusterAuthority,
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(crate) fn transport(config: QuicConfig) -> QuicTransport {
    QuicTransport::new(config).unwrap()
}

/// Runs a part of a test that must end.
pub(crate) async fn within<T>(what: &str, part: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(30), part).await;
    done.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until a counter says so.
pub(crate) async fn counted(node: &QuicTransport, reason: RefusalReason) {
    let counting = async {
        while !node.stats().refusals.contains_key(&reason) {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), counting).await;
    assert!(
        done.is_ok(),
        "no refusal for {reason}: {:?}",
        node.stats().refusals
    );
}

/// Starts a node.
pub(crate) async fn start(config: QuicConfig) -> (QuicTransport, Arc<Recorder>) {
    let node = transport(config);
    let sink = Arc::new(Recorder::default());
    node.start(sink.clone()).await.unwrap();
    (node, sink)
}

impl Cluster {
    pub(crate) fn new(name: &str) -> Self {
        let authority = ClusterAuthority::create(name, Validity::days(1)).unwrap();
        Self { authority }
    }

    /// Certificates for somebody, in the hands of someone who trusts this cluster.
    pub(crate) fn identity(&self, who: &Identity) -> TlsIdentity {
        let issued = self.authority.issue(who, 1).unwrap();
        self.identity_of(&issued.cert_pem, &issued.key_pem)
    }

    pub(crate) fn identity_of(&self, cert: &str, key: &str) -> TlsIdentity {
        TlsIdentity::from_pem(self.authority.cert_pem(), cert, key).unwrap()
    }

    /// A configuration of node `id` among `peers`.
    pub(crate) fn config(
        &self,
        id: u64,
        listen: SocketAddr,
        peers: &[(u64, SocketAddr)],
    ) -> QuicConfig {
        let node = NodeId(id);
        QuicConfig {
            node,
            incarnation: Incarnation(u128::from(id)),
            cluster: ClusterId(77),
            listen,
            peers: peers
                .iter()
                .map(|(id, at)| (NodeId(*id), at.to_string()))
                .collect(),
            tls: self.identity(&Identity::Node(node)),
            feature_level: 1,
            config_digest: None,
            lineage: Lineage::default(),
            witness: None,
            settings: QuicSettings::default(),
        }
    }

    /// Configurations of nodes 1 to `count` that know each other.
    pub(crate) fn configs(&self, count: usize, set: impl Fn(&mut QuicSettings)) -> Vec<QuicConfig> {
        let addresses: Vec<_> = (1..).zip((0..count).map(|_| free_address())).collect();
        let config = |(id, at): &(u64, SocketAddr)| {
            let mut config = self.config(*id, *at, &addresses);
            set(&mut config.settings);
            config
        };
        addresses.iter().map(config).collect()
    }

    /// A client of a node.
    pub(crate) fn client(&self, address: SocketAddr, expected: Option<u64>) -> ClientConfig {
        ClientConfig {
            address: address.to_string(),
            tls: self.identity(&Identity::Client("tester".into())),
            expected: expected.map(NodeId),
            cluster: None,
            settings: QuicSettings::default(),
        }
    }
}
