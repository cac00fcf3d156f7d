//! What waits to be delivered to one node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use repertoire_core::{Class, Delivery, LinkEvent, NodeId};
use tokio::sync::Notify;

/// Frames of one peer and class.
#[derive(Debug, Default)]
struct Lane {
    frames: Vec<Bytes>,
    bytes: usize,
    refused: bool,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<LinkEvent>,
    /// Urgent classes first, then by peer: the order of delivery.
    lanes: BTreeMap<(Class, NodeId), Lane>,
    /// Per peer, the class from which on nothing is delivered.
    paused: BTreeMap<NodeId, Class>,
    /// Counts resumptions, so that one that comes while a delivery returns is not lost.
    resumed: u64,
    ended: bool,
}

/// What waits to be delivered to one node.
#[derive(Debug)]
pub(crate) struct Inbound {
    id: NodeId,
    state: Mutex<State>,
    wake: Notify,
    drained: Notify,
}

/// What a node's task does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Reports a link.
    Event(LinkEvent),
    /// Delivers frames. If they are the last that were allowed, `seen` names the moment.
    Frames {
        delivery: Delivery,
        /// For [`Inbound::pause`].
        seen: u64,
        /// The sender had been refused and may go on.
        writable: bool,
    },
    /// Ends.
    End,
}

impl Inbound {
    pub(crate) fn new(id: NodeId) -> Self {
        Self {
            id,
            state: Mutex::default(),
            wake: Notify::new(),
            drained: Notify::new(),
        }
    }

    pub(crate) const fn id(&self) -> NodeId {
        self.id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: LinkEvent) {
        self.lock().events.push_back(event);
        self.wake.notify_one();
    }

    /// Takes a frame of a peer, unless its lane would hold more than `budget` bytes. An empty lane
    /// takes any frame.
    pub(crate) fn offer(&self, from: NodeId, class: Class, frame: Bytes, budget: usize) -> bool {
        let mut state = self.lock();
        if state.ended {
            return false;
        }
        let lane = state.lanes.entry((class, from)).or_default();
        if lane.bytes > 0 && lane.bytes + frame.len() > budget {
            lane.refused = true;
            return false;
        }
        lane.bytes += frame.len();
        lane.frames.push(frame);
        drop(state);
        self.wake.notify_one();
        true
    }

    pub(crate) async fn next(&self) -> Next {
        loop {
            let notified = self.wake.notified();
            if let Some(next) = self.lock().next() {
                return next;
            }
            self.drained.notify_waiters();
            notified.await;
        }
    }

    pub(crate) fn pause(&self, peer: NodeId, class: Class, seen: u64) {
        let mut state = self.lock();
        if state.resumed == seen {
            let from = state
                .paused
                .get(&peer)
                .map_or(class, |from| class.min(*from));
            state.paused.insert(peer, from);
        }
    }

    pub(crate) fn resume(&self, peer: NodeId) {
        let mut state = self.lock();
        state.resumed += 1;
        state.paused.remove(&peer);
        drop(state);
        self.wake.notify_one();
    }

    /// Drops what waits from a peer that is gone.
    pub(crate) fn forget(&self, peer: NodeId) {
        let mut state = self.lock();
        state.lanes.retain(|(_, from), _| *from != peer);
        state.paused.remove(&peer);
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_one();
    }

    /// Waits until nothing waits from `peer`.
    pub(crate) async fn until_drained(&self, peer: NodeId) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            {
                let state = self.lock();
                let waits = |((_, from), lane): (&(Class, NodeId), &Lane)| {
                    *from == peer && !lane.frames.is_empty()
                };
                if state.ended || !state.lanes.iter().any(waits) {
                    return;
                }
            }
            drained.await;
        }
    }
}

impl State {
    fn next(&mut self) -> Option<Next> {
        if self.ended {
            return Some(Next::End);
        }
        if let Some(event) = self.events.pop_front() {
            return Some(Next::Event(event));
        }
        let paused = &self.paused;
        let is_open = |class: Class, from: NodeId| paused.get(&from).is_none_or(|p| class < *p);
        let ready = self
            .lanes
            .iter_mut()
            .find(|((class, from), lane)| !lane.frames.is_empty() && is_open(*class, *from));
        let ((class, from), lane) = ready?;
        lane.bytes = 0;
        Some(Next::Frames {
            delivery: Delivery {
                from: *from,
                class: *class,
                frames: std::mem::take(&mut lane.frames),
            },
            seen: self.resumed,
            writable: std::mem::take(&mut lane.refused),
        })
    }
}
