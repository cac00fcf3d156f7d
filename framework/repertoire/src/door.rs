//! The door for clients: connects sessions on the network with the node.

use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use repertoire_runtime::{NodeHandle, RemoteSession};
use repertoire_transport_quic::{ClientAcceptor, ClientInfo, ClientSink};
use repertoire_wire::hello::RefusalReason;

/// Sessions of clients, by the transport's number.
pub(crate) struct Door {
    node: NodeHandle,
    sessions: DashMap<u64, (Arc<RemoteSession>, ClientSink)>,
}

impl Door {
    pub(crate) fn new(node: NodeHandle) -> Self {
        Self {
            node,
            sessions: DashMap::new(),
        }
    }
}

impl ClientAcceptor for Door {
    fn opened(
        &self,
        session: u64,
        client: ClientInfo,
        sink: ClientSink,
    ) -> Result<(), RefusalReason> {
        tracing::debug!(client = %client.identity, address = %client.address, "A session opened");
        let out = sink.clone();
        let remote = self.node.remote_session(Box::new(move |frames, freed| {
            out.send(&frames);
            out.release(freed);
        }));
        self.sessions.insert(session, (Arc::new(remote), sink));
        Ok(())
    }

    fn on_frames(&self, session: u64, frames: Vec<Bytes>) {
        let found = self
            .sessions
            .get(&session)
            .map(|entry| entry.value().clone());
        let Some((remote, sink)) = found else { return };
        if let Err(error) = remote.take(frames) {
            tracing::warn!(session, %error, "A client sent what is no request");
            sink.close(RefusalReason::Malformed);
        }
    }

    fn closed(&self, session: u64) {
        self.sessions.remove(&session);
    }
}
