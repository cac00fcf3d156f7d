//! Where nodes are, and how to reach them.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use repertoire_core::{Error, ErrorKind, Member, NodeId};
use repertoire_runtime::NodeHandle;
use repertoire_transport_quic::certs::TlsIdentity;
use repertoire_transport_quic::{ClientConfig, QuicSettings};

use crate::link::{Connected, Connector, Peer, Task};
use crate::{embedded, remote};

/// Reaches nodes in this process directly while they run, others over QUIC.
pub(crate) struct Dialler {
    nodes: Vec<NodeHandle>,
    seeds: Vec<String>,
    tls: Option<TlsIdentity>,
    settings: QuicSettings,
    addresses: Mutex<Addresses>,
}

/// Addresses by node.
#[derive(Default)]
struct Addresses {
    /// Those that worked; they may differ from what the node says of itself, behind a relay.
    proven: BTreeMap<NodeId, String>,
    /// Those of the catalogue.
    announced: BTreeMap<NodeId, String>,
}

impl Dialler {
    /// A dialler over nodes of this process, and addresses of others.
    pub(crate) fn new(
        nodes: Vec<NodeHandle>,
        seeds: Vec<String>,
        tls: Option<TlsIdentity>,
        settings: QuicSettings,
    ) -> Self {
        let addresses = Mutex::default();
        Self {
            nodes,
            seeds,
            tls,
            settings,
            addresses,
        }
    }

    fn address(&self, node: NodeId) -> Option<String> {
        let addresses = self.addresses.lock();
        let found = addresses
            .proven
            .get(&node)
            .or_else(|| addresses.announced.get(&node));
        found.cloned()
    }

    async fn dial(&self, address: String, expected: Option<NodeId>) -> Result<Connected, Error> {
        let Some(tls) = self.tls.clone() else {
            return Err(Error::new(ErrorKind::ConfigInvalid, "connect")
                .with("address", address)
                .with("remedy", "give the client certificates"));
        };
        let cluster = self.nodes.first().map(|node| node.identity().cluster);
        let settings = self.settings;
        let config = ClientConfig {
            address: address.clone(),
            tls,
            expected,
            cluster,
            settings,
        };
        match remote::connect(config).await {
            Ok(connected) => {
                self.addresses.lock().proven.insert(connected.node, address);
                Ok(connected)
            }
            Err(error) => {
                if let Some(node) = expected {
                    self.addresses.lock().proven.remove(&node);
                }
                Err(error.with("address", &address))
            }
        }
    }
}

impl Connector for Dialler {
    fn connect(&self, to: Peer) -> Task<'_, Result<Connected, Error>> {
        Box::pin(async move {
            let node = match to {
                Peer::Node(node) => node,
                Peer::Seed(index) => {
                    let address = self.seeds.get(index).cloned().unwrap_or_default();
                    return self.dial(address, None).await;
                }
            };
            let is_here = |handle: &&NodeHandle| handle.identity().node == node;
            let handle = self.nodes.iter().find(is_here);
            if let Some(handle) = handle.filter(|handle| !handle.has_ended()) {
                return Ok(embedded::connect(handle));
            }
            // A node that ended here may have been started again, there.
            match self.address(node).filter(|_| self.tls.is_some()) {
                Some(address) => self.dial(address, Some(node)).await,
                None if handle.is_some() => Err(Error::new(ErrorKind::Unavailable, "connect")
                    .with("node", node)
                    .with("detail", "the node of this process has stopped")),
                None => Err(Error::new(ErrorKind::Unavailable, "connect")
                    .with("node", node)
                    .with("detail", "its address is not known")),
            }
        })
    }

    fn beginnings(&self) -> Vec<Peer> {
        let here = self
            .nodes
            .iter()
            .map(|handle| Peer::Node(handle.identity().node));
        here.chain((0..self.seeds.len()).map(Peer::Seed)).collect()
    }

    fn wants_members(&self) -> bool {
        self.tls.is_some()
    }

    fn learn(&self, members: Vec<Member>) {
        let mut addresses = self.addresses.lock();
        for member in members
            .into_iter()
            .filter(|member| !member.address.is_empty())
        {
            addresses.announced.insert(member.node, member.address);
        }
    }
}
