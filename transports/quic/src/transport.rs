//! The transport as the runtime sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quinn::VarInt;
use repertoire_core::{Error, ErrorKind, NodeId, Outgoing, Transport, TransportSink};
use repertoire_wire::hello::{Hello, RefusalReason};
use tokio::time::timeout;

use crate::accept;
use crate::certs::Identity;
use crate::counters::TransportStats;
use crate::dial;
use crate::endpoint;
use crate::inner::Inner;
use crate::peer::Peer;
use crate::refusal::LinkEnd;
use crate::session::ClientAcceptor;
use crate::settings::QuicConfig;

/// Time for the last packets after everything else is done.
const LINGER: Duration = Duration::from_millis(200);

/// QUIC between nodes, and from clients to this node. Cheap to clone.
#[derive(Clone)]
pub struct QuicTransport(Arc<Inner>);

impl std::fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicTransport")
            .field("node", &self.0.config.node)
            .field("peers", &self.0.peers.len())
            .finish_non_exhaustive()
    }
}

impl QuicTransport {
    /// A transport that is not started yet.
    ///
    /// # Errors
    /// `ConfigInvalid` when the certificate is not this node's, or a setting is out of range.
    pub fn new(config: QuicConfig) -> Result<Self, Error> {
        config.settings.mtu.validate()?;
        let expected = Identity::Node(config.node);
        if *config.tls.identity() != expected {
            return Err(Error::new(ErrorKind::ConfigInvalid, "configure transport")
                .with("tls.cert", format!("is for {}", config.tls.identity()))
                .with("node.id", config.node.0)
                .with("remedy", format!("issue a certificate for {expected}")));
        }
        let inner = Inner::new(config);
        for (id, address) in &inner.config.peers {
            if *id != inner.config.node {
                inner
                    .peers
                    .insert(*id, Arc::new(Peer::new(*id, address.clone())));
            }
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Serves clients, too. To be called before [`start`](Transport::start).
    pub fn serve_clients(&self, acceptor: Arc<dyn ClientAcceptor>) {
        // The first acceptor stays.
        let _set = self.0.clients.set(acceptor);
    }

    /// The address it listens on, once started: with port 0 the system chooses one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.endpoint.get()?.local_addr().ok()
    }

    /// Adds a member, or gives a member a new address.
    pub fn add_peer(&self, id: NodeId, address: String) {
        if id == self.0.config.node {
            return;
        }
        if let Some(peer) = self.0.peer(id) {
            let mut known = peer
                .address
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *known = address;
            return;
        }
        let peer = Arc::new(Peer::new(id, address));
        self.0.peers.insert(id, peer.clone());
        if self.0.endpoint.get().is_some() {
            self.keep(peer);
        }
    }

    /// Ends the link to a former member and dials it no more.
    pub fn remove_peer(&self, id: NodeId) {
        if let Some((_, peer)) = self.0.peers.remove(&id) {
            peer.removed.send_replace(true);
        }
    }

    /// What a connected peer said of itself.
    pub fn peer_hello(&self, id: NodeId) -> Option<Hello> {
        self.0.peer(id)?.link().map(|link| link.hello.clone())
    }

    /// Ends the link to a peer whose frames make no sense; it is dialled again.
    pub fn disconnect(&self, id: NodeId, reason: RefusalReason, detail: &str) {
        if let Some(link) = self.0.peer(id).and_then(|peer| peer.link()) {
            LinkEnd::refused(reason, detail).close(&link.connection);
        }
    }

    /// The catalogue version that later hellos announce.
    pub fn set_catalogue_version(&self, version: u64) {
        self.0.catalogue_version.store(version, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn stats(&self) -> TransportStats {
        self.0.counters.snapshot()
    }

    /// The lower id dials.
    fn keep(&self, peer: Arc<Peer>) {
        if self.0.config.node < peer.id {
            tokio::spawn(dial::keep(self.0.clone(), peer));
        }
    }
}

#[async_trait]
impl Transport for QuicTransport {
    async fn start(&self, sink: Arc<dyn TransportSink>) -> Result<(), Error> {
        let config = &self.0.config;
        let endpoint = endpoint::open(config.listen, &config.tls, &config.settings)?;
        let is_first =
            self.0.sink.set(sink).is_ok() && self.0.endpoint.set(endpoint.clone()).is_ok();
        if !is_first {
            return Err(Error::new(ErrorKind::Unexpected, "start transport")
                .with("problem", "it was started before"));
        }
        tokio::spawn(accept::run(self.0.clone(), endpoint));
        let peers: Vec<_> = self.0.peers.iter().map(|peer| peer.clone()).collect();
        for peer in peers {
            self.keep(peer);
        }
        Ok(())
    }

    fn send(&self, to: NodeId, frames: Vec<Outgoing>) -> usize {
        match self.0.peer(to).and_then(|peer| peer.link()) {
            Some(link) => link.send(&frames, &self.0.counters),
            None => 0,
        }
    }

    fn resume(&self, peer: NodeId) {
        if let Some(link) = self.0.peer(peer).and_then(|peer| peer.link()) {
            link.gate.resume();
        }
    }

    async fn close(&self, patience: Duration) {
        self.0.closing.send_replace(true);
        let Some(endpoint) = self.0.endpoint.get() else {
            return;
        };
        let peers: Vec<_> = self.0.peers.iter().map(|peer| peer.clone()).collect();
        let finished = async {
            for peer in peers.iter().filter(|peer| peer.link().is_some()) {
                let _turn = peer.turn.lock().await;
            }
        };
        let _in_time = timeout(patience, finished).await;
        let code = VarInt::from(RefusalReason::ShuttingDown.code());
        endpoint.close(code, b"shutting down");
        let _idle = timeout(LINGER, endpoint.wait_idle()).await;
    }
}
