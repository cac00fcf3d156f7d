//! The transport of one node.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use repertoire_core::{Error, ErrorKind, LinkEvent, NodeId, Outgoing, Transport, TransportSink};
use repertoire_wire::{LENGTH_LEN, encode_frame_into};
use tokio::time::timeout;

use crate::MemoryHub;
use crate::inbound::{Inbound, Next};

/// The transport of one node of a [`MemoryHub`].
#[derive(Debug)]
pub struct MemoryTransport {
    hub: MemoryHub,
    node: NodeId,
    inbound: Mutex<Option<Arc<Inbound>>>,
}

impl MemoryTransport {
    pub(crate) fn new(hub: MemoryHub, node: NodeId) -> Self {
        Self {
            hub,
            node,
            inbound: Mutex::default(),
        }
    }

    fn inbound(&self) -> Option<Arc<Inbound>> {
        self.inbound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_inbound(&self, inbound: Option<Arc<Inbound>>) {
        *self.inbound.lock().unwrap_or_else(PoisonError::into_inner) = inbound;
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn start(&self, sink: Arc<dyn TransportSink>) -> Result<(), Error> {
        let inbound = Arc::new(Inbound::new(self.node));
        if self.inbound().is_some() || !self.hub.join(&inbound) {
            return Err(Error::new(ErrorKind::ConfigInvalid, "start transport")
                .with("node", self.node)
                .with("problem", "a node of that id is started already"));
        }
        self.set_inbound(Some(inbound.clone()));
        tokio::spawn(deliver(inbound, sink, self.hub.clone()));
        Ok(())
    }

    fn send(&self, to: NodeId, frames: Vec<Outgoing>) -> usize {
        let (Some(_), Some(peer)) = (self.inbound(), self.hub.node(to)) else {
            return 0;
        };
        let mut refused_at = None;
        let mut full = [false; 3];
        for (i, frame) in frames.iter().enumerate() {
            let class = frame.message.class;
            let Some(is_full) = full.get_mut(class as usize) else {
                continue;
            };
            let budget = self.hub.budgets().of(class);
            let bytes = match encode(frame) {
                Ok(bytes) => bytes,
                Err(error) => {
                    // No retry can help: the sender has to make smaller messages.
                    tracing::error!(group = %frame.group, %error, "frame dropped");
                    continue;
                }
            };
            *is_full = *is_full || !peer.offer(self.node, class, bytes, budget);
            if *is_full {
                refused_at.get_or_insert(i);
            }
        }
        refused_at.unwrap_or(frames.len())
    }

    fn resume(&self, peer: NodeId) {
        if let Some(inbound) = self.inbound() {
            inbound.resume(peer);
        }
    }

    async fn close(&self, patience: Duration) {
        let Some(inbound) = self.inbound() else {
            return;
        };
        let others = self.hub.others(self.node);
        let drained = async {
            for other in &others {
                other.until_drained(self.node).await;
            }
        };
        let _in_time = timeout(patience, drained).await;
        self.set_inbound(None);
        self.hub.leave(self.node);
        inbound.end();
    }
}

/// One copy, because a delivered frame is one piece of memory.
fn encode(frame: &Outgoing) -> Result<Bytes, repertoire_wire::WireError> {
    let body = &frame.message.body;
    let mut out = BytesMut::with_capacity(64 + frame.message.len());
    encode_frame_into(frame, &mut out)?;
    out.extend_from_slice(body);
    Ok(out.freeze().slice(LENGTH_LEN..))
}

async fn deliver(inbound: Arc<Inbound>, sink: Arc<dyn TransportSink>, hub: MemoryHub) {
    loop {
        match inbound.next().await {
            Next::End => return,
            Next::Event(event) => sink.link(event),
            Next::Frames {
                delivery,
                seen,
                writable,
            } => {
                let (from, class) = (delivery.from, delivery.class);
                if !sink.deliver(delivery) {
                    inbound.pause(from, class, seen);
                }
                if writable && let Some(sender) = hub.node(from) {
                    let peer = inbound.id();
                    sender.tell(LinkEvent::Writable { peer });
                }
            }
        }
        // A node that is kept busy must not keep the others from running.
        tokio::task::yield_now().await;
    }
}
