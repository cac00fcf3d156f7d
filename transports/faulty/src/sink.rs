//! The sink between the transport below and the node: cuts what comes in.

use std::sync::Arc;

use repertoire_core::{Delivery, LinkEvent, TransportSink};

use crate::transport::Shared;

/// The sink between the transport below and the node.
pub(crate) struct FaultySink {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: Arc<dyn TransportSink>,
}

#[deny(clippy::missing_trait_methods)]
impl TransportSink for FaultySink {
    fn deliver(&self, delivery: Delivery) -> bool {
        {
            let mut lanes = self.shared.lanes();
            if lanes.cut_in.contains(&delivery.from) || lanes.severed.contains(&delivery.from) {
                lanes.counts.cut += delivery.frames.len() as u64;
                return true;
            }
        }
        self.node.deliver(delivery)
    }

    fn link(&self, event: LinkEvent) {
        let peer = match &event {
            LinkEvent::Up { peer } => {
                self.shared.lanes().up.insert(*peer);
                *peer
            }
            LinkEvent::Down { peer, .. } => {
                let mut lanes = self.shared.lanes();
                lanes.up.remove(peer);
                lanes.forget(*peer);
                *peer
            }
            LinkEvent::Silent { peer } | LinkEvent::Writable { peer } => *peer,
        };
        // The node believes that a severed link is down; it hears of it when it is healed.
        if !self.shared.lanes().severed.contains(&peer) {
            self.node.link(event);
        }
    }
}
