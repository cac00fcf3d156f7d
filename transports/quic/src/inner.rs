//! What all tasks of a transport share.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dashmap::DashMap;
use quinn::Endpoint;
use repertoire_core::{LinkEvent, NodeId, TransportSink};
use repertoire_wire::hello::{Hello, RefusalReason, Speaker};
use tokio::sync::{mpsc, watch};

use crate::congestion::Uncork;
use crate::counters::Counters;
use crate::peer::Peer;
use crate::refusal::LinkEnd;
use crate::session::ClientAcceptor;
use crate::settings::QuicConfig;

/// What all tasks of a transport share.
pub(crate) struct Inner {
    pub(crate) config: QuicConfig,
    pub(crate) counters: Counters,
    pub(crate) catalogue_version: AtomicU64,
    endpoint: Mutex<Option<Endpoint>>,
    running: Mutex<Option<mpsc::Sender<()>>>,
    pub(crate) sink: OnceLock<Arc<dyn TransportSink>>,
    pub(crate) clients: OnceLock<Arc<dyn ClientAcceptor>>,
    pub(crate) peers: DashMap<NodeId, Arc<Peer>>,
    pub(crate) next_session: AtomicU64,
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) uncork: Uncork,
    /// Sessions of clients that are open.
    pub(crate) sessions: watch::Sender<usize>,
    handshakes: AtomicUsize,
    client_connections: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Inner {
    pub(crate) fn new(config: QuicConfig) -> Self {
        Self {
            config,
            counters: Counters::default(),
            catalogue_version: AtomicU64::new(0),
            endpoint: Mutex::default(),
            running: Mutex::default(),
            sink: OnceLock::new(),
            clients: OnceLock::new(),
            peers: DashMap::new(),
            next_session: AtomicU64::new(1),
            closing: watch::Sender::new(false),
            uncork: Uncork::default(),
            sessions: watch::Sender::new(0),
            handshakes: AtomicUsize::new(0),
            client_connections: Mutex::default(),
        }
    }

    /// What this node says of itself.
    pub(crate) fn hello(&self) -> Hello {
        let speaker = Speaker::Node {
            id: self.config.node,
            incarnation: self.config.incarnation,
        };
        Hello {
            catalogue_version: self.catalogue_version.load(Ordering::Relaxed),
            feature_level: self.config.feature_level,
            config_digest: self.config.config_digest,
            lineage: self.config.lineage.clone(),
            ..Hello::new(Some(self.config.cluster), speaker)
        }
    }

    pub(crate) fn peer(&self, id: NodeId) -> Option<Arc<Peer>> {
        self.peers.get(&id).map(|peer| peer.clone())
    }

    pub(crate) fn tell(&self, event: LinkEvent) {
        if let Some(sink) = self.sink.get() {
            sink.link(event);
        }
    }

    /// Tells the node that a peer does not know its disk any more.
    pub(crate) fn hear(&self, peer: NodeId, end: &LinkEnd) {
        let is_told = end.by_peer && end.refusal == Some(RefusalReason::NotContinued);
        if let Some(witness) = self.config.witness.as_ref().filter(|_| is_told) {
            witness.disowned(peer, &end.detail);
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// The endpoint, between start and close.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_endpoint(&self, endpoint: Option<Endpoint>) {
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = endpoint;
    }

    /// Runs a task that [`count_tasks`](Self::count_tasks) counts.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        tokio::spawn(async move {
            task.await;
            drop(token);
        });
    }

    /// From now on, counts tasks. Returns what resolves to `None` when none is left.
    pub(crate) fn count_tasks(&self) -> mpsc::Receiver<()> {
        let (token, end) = mpsc::channel(1);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        end
    }

    /// Counts no more tasks.
    pub(crate) fn stop_counting(&self) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Counts and reports a refused connection.
    pub(crate) fn report(&self, who: &dyn std::fmt::Display, end: &LinkEnd) {
        if let Some(reason) = end.refusal {
            self.counters.refused(reason);
            let detail = end.detail.escape_debug().to_string();
            if matches!(
                reason,
                RefusalReason::Replaced | RefusalReason::ShuttingDown
            ) {
                tracing::info!(%who, %reason, %detail, "connection ended");
            } else {
                tracing::warn!(%who, %reason, %detail, "connection refused");
            }
        } else {
            tracing::debug!(%who, detail = %end.detail, "connection ended");
        }
    }

    /// Takes a place among the unfinished handshakes.
    pub(crate) fn begin_handshake(self: &Arc<Self>) -> HandshakePlace {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        HandshakePlace(self.clone())
    }

    /// Handshakes under way.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// How many unfinished handshakes are too many for one from `address`. Peers have places of
    /// their own, so that strangers cannot keep the cluster apart.
    pub(crate) fn handshakes_max(&self, address: IpAddr) -> usize {
        let max = self.config.settings.handshakes_max;
        if self.handshakes() < max {
            return max;
        }
        let is_there = |text: &str| text.parse().is_ok_and(|at: SocketAddr| at.ip() == address);
        if self.peers.iter().any(|peer| is_there(&peer.address())) {
            max + self.peers.len()
        } else {
            max
        }
    }

    /// Takes a place among the clients' connections, if there is one.
    pub(crate) fn admit_client(self: &Arc<Self>, address: IpAddr) -> Option<ClientPlace> {
        let settings = &self.config.settings;
        let mut open = self
            .client_connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let here = open.get(&address).copied().unwrap_or(0);
        if total >= settings.clients_max || here >= settings.clients_per_address_max {
            return None;
        }
        open.insert(address, here + 1);
        Some(ClientPlace {
            inner: self.clone(),
            address,
        })
    }
}

/// A place among the unfinished handshakes; given back when dropped.
pub(crate) struct HandshakePlace(Arc<Inner>);

impl Drop for HandshakePlace {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place among the clients' connections; given back when dropped.
pub(crate) struct ClientPlace {
    inner: Arc<Inner>,
    address: IpAddr,
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let open = &self.inner.client_connections;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}
