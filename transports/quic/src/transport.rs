//! The transport as the runtime sees it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use quinn::VarInt;
use repertoire_core::{Error, ErrorKind, NodeId, Outgoing, Transport, TransportSink};
use repertoire_wire::hello::{Hello, RefusalReason};
use tokio::sync::mpsc;
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
const LINGER: Duration = Duration::from_secs(1);

/// Between two looks whether the address is free again.
const SOCKET_PAUSE: Duration = Duration::from_millis(1);

/// QUIC between nodes, and from clients to this node. Cheap to clone.
#[derive(Clone)]
pub struct QuicTransport(Arc<Shared>);

struct Shared {
    inner: Arc<Inner>,
    tasks: Mutex<Option<mpsc::Receiver<()>>>,
}

impl std::fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicTransport")
            .field("node", &self.inner().config.node)
            .field("peers", &self.inner().peers.len())
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
        Ok(Self(Arc::new(Shared {
            inner: Arc::new(inner),
            tasks: Mutex::default(),
        })))
    }

    fn tasks(&self) -> MutexGuard<'_, Option<mpsc::Receiver<()>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.inner
    }

    /// Serves clients, too. To be called before [`start`](Transport::start).
    pub fn serve_clients(&self, acceptor: Arc<dyn ClientAcceptor>) {
        // The first acceptor stays.
        let _set = self.inner().clients.set(acceptor);
    }

    /// The address it listens on, once started: with port 0 the system chooses one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.inner().endpoint()?.local_addr().ok()
    }

    /// Adds a member, or gives a member a new address.
    pub fn add_peer(&self, id: NodeId, address: String) {
        if id == self.inner().config.node {
            return;
        }
        if let Some(peer) = self.inner().peer(id) {
            let mut known = peer.address.lock().unwrap_or_else(PoisonError::into_inner);
            *known = address;
            return;
        }
        let peer = Arc::new(Peer::new(id, address));
        self.inner().peers.insert(id, peer.clone());
        if self.inner().endpoint().is_some() {
            self.keep(peer);
        }
    }

    /// Ends the link to a former member and dials it no more.
    pub fn remove_peer(&self, id: NodeId) {
        if let Some((_, peer)) = self.inner().peers.remove(&id) {
            peer.removed.send_replace(true);
        }
    }

    /// What a connected peer said of itself.
    pub fn peer_hello(&self, id: NodeId) -> Option<Hello> {
        self.inner().peer(id)?.link().map(|link| link.hello.clone())
    }

    /// Ends the link to a peer whose frames make no sense; it is dialled again.
    pub fn disconnect(&self, id: NodeId, reason: RefusalReason, detail: &str) {
        if let Some(link) = self.inner().peer(id).and_then(|peer| peer.link()) {
            LinkEnd::refused(reason, detail).close(&link.connection);
        }
    }

    /// The catalogue version that later hellos announce.
    pub fn set_catalogue_version(&self, version: u64) {
        self.inner()
            .catalogue_version
            .store(version, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn stats(&self) -> TransportStats {
        self.inner().counters.snapshot()
    }

    /// The lower id dials.
    fn keep(&self, peer: Arc<Peer>) {
        if self.inner().config.node < peer.id {
            let inner = self.inner();
            inner.spawn(dial::keep(inner.clone(), peer));
        }
    }
}

#[async_trait]
impl Transport for QuicTransport {
    async fn start(&self, sink: Arc<dyn TransportSink>) -> Result<(), Error> {
        let inner = self.inner();
        let config = &inner.config;
        let (tls, settings) = (&config.tls, &config.settings);
        let endpoint = endpoint::open(config.listen, tls, settings, &inner.uncork).await?;
        if inner.sink.set(sink).is_err() {
            return Err(Error::new(ErrorKind::Unexpected, "start transport")
                .with("problem", "it was started before"));
        }
        inner.set_endpoint(Some(endpoint.clone()));
        *self.tasks() = Some(inner.count_tasks());
        inner.spawn(accept::run(inner.clone(), endpoint));
        let peers: Vec<_> = inner.peers.iter().map(|peer| peer.clone()).collect();
        for peer in peers {
            self.keep(peer);
        }
        Ok(())
    }

    fn introduce(&self, peer: NodeId, address: &str) {
        self.add_peer(peer, address.to_owned());
    }

    fn forget(&self, peer: NodeId) {
        self.remove_peer(peer);
    }

    fn send(&self, to: NodeId, frames: Vec<Outgoing>) -> usize {
        match self.inner().peer(to).and_then(|peer| peer.link()) {
            Some(link) => link.send(&frames, &self.inner().counters),
            None => 0,
        }
    }

    fn resume(&self, peer: NodeId) {
        if let Some(link) = self.inner().peer(peer).and_then(|peer| peer.link()) {
            link.gate.resume();
        }
    }

    async fn close(&self, patience: Duration) {
        let inner = self.inner();
        inner.closing.send_replace(true);
        let Some(endpoint) = inner.endpoint() else {
            return;
        };
        let peers: Vec<_> = inner.peers.iter().map(|peer| peer.clone()).collect();
        let mut sessions = inner.sessions.subscribe();
        let finished = async {
            for peer in peers.iter().filter(|peer| peer.link().is_some()) {
                let _turn = peer.turn.lock().await;
            }
            let _none = sessions.wait_for(|open| *open == 0).await;
        };
        let _in_time = timeout(patience, finished).await;
        let code = VarInt::from(RefusalReason::ShuttingDown.code());
        inner.uncork.all();
        let address = endpoint.local_addr();
        endpoint.close(code, b"shutting down");
        let _idle = timeout(LINGER, endpoint.wait_idle()).await;
        // The address is free once nothing holds the socket.
        inner.set_endpoint(None);
        inner.stop_counting();
        drop(endpoint);
        let tasks = self.tasks().take();
        if let Some(mut tasks) = tasks {
            let _ended = timeout(LINGER, tasks.recv()).await;
        }
        // The endpoint's own task drops the socket, on whichever thread and whenever it runs next.
        let freed = async {
            while address
                .as_ref()
                .is_ok_and(|at| std::net::UdpSocket::bind(at).is_err())
            {
                tokio::time::sleep(SOCKET_PAUSE).await;
            }
        };
        let _in_time = timeout(LINGER, freed).await;
    }
}
