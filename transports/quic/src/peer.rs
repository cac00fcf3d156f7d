//! A peer and the link to it, if there is one.

use std::sync::{Arc, Mutex, PoisonError};

use quinn::Connection;
use repertoire_core::{Class, Incarnation, NodeId, Outgoing};
use repertoire_wire::encode_frame_into;
use repertoire_wire::hello::Hello;
use tokio::sync::{Mutex as Turn, watch};

use crate::counters::{Counters, add};
use crate::gate::Gate;
use crate::outbox::{Filling, Outbox};
use crate::settings::OutboxBudgets;

/// A peer: it stays while links come and go.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: Mutex<String>,
    link: Mutex<Option<Arc<Link>>>,
    /// Held by whoever runs the link: at most one at a time.
    pub(crate) turn: Turn<()>,
    /// Set when the peer is no member any more.
    pub(crate) removed: watch::Sender<bool>,
}

impl Peer {
    pub(crate) fn new(id: NodeId, address: String) -> Self {
        Self {
            id,
            address: Mutex::new(address),
            link: Mutex::default(),
            turn: Turn::default(),
            removed: watch::Sender::new(false),
        }
    }

    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.link
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_link(&self, link: Option<Arc<Link>>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    pub(crate) fn address(&self) -> String {
        self.address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A verified connection to a peer.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) hello: Hello,
    pub(crate) gate: Gate,
    outboxes: [Outbox; 3],
}

impl Link {
    pub(crate) fn new(connection: Connection, hello: Hello, budgets: OutboxBudgets) -> Self {
        Self {
            connection,
            hello,
            gate: Gate::default(),
            outboxes: [
                Outbox::new(budgets.control),
                Outbox::new(budgets.replication),
                Outbox::new(budgets.bulk),
            ],
        }
    }

    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.hello.node().map(|(_, incarnation)| incarnation)
    }

    pub(crate) const fn outbox(&self, class: Class) -> &Outbox {
        let [control, replication, bulk] = &self.outboxes;
        match class {
            Class::Control => control,
            Class::Replication => replication,
            Class::Bulk => bulk,
        }
    }

    /// Puts frames into their outboxes. Returns how many were taken, from the front. Frames of
    /// other classes behind the first refused one still travel: a full class delays no other.
    pub(crate) fn send(&self, frames: &[Outgoing], counters: &Counters) -> usize {
        let mut refused_at = None;
        let mut filling: [Option<Filling<'_>>; 3] = [None, None, None];
        let mut full = [false; 3];
        for (i, frame) in frames.iter().enumerate() {
            let class = frame.message.class;
            let lane = class as usize;
            let (Some(slot), Some(is_full)) = (filling.get_mut(lane), full.get_mut(lane)) else {
                continue;
            };
            let filling = slot.get_or_insert_with(|| self.outbox(class).fill());
            *is_full = *is_full || !filling.has_room(frame.message.len());
            if *is_full {
                refused_at.get_or_insert(i);
                add(&counters.frames_refused, 1);
                continue;
            }
            let body = &frame.message.body;
            match filling.put(|out| encode_frame_into(frame, out), body) {
                Ok(()) => add(&counters.frames_sent, 1),
                Err(error) => {
                    // No retry can help: the sender has to make smaller messages.
                    add(&counters.frames_oversized, 1);
                    tracing::error!(group = %frame.group, %error, "frame dropped");
                }
            }
        }
        refused_at.unwrap_or(frames.len())
    }

    /// Ends the link once everything that waits was sent.
    pub(crate) fn finish(&self) {
        for class in Class::ALL {
            self.outbox(class).finish();
        }
        self.gate.resume();
    }

    /// Forgets what waits.
    pub(crate) fn abandon(&self) {
        for class in Class::ALL {
            self.outbox(class).close();
        }
    }
}
