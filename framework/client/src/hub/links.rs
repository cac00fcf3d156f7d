//! Connections, as the hub sees them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{Error, NodeId};
use repertoire_wire::client::AdminRequest;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::Hub;
use super::spans::{Spans, What};
use crate::flight::Stage;
use crate::retry;

/// State of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkStage {
    /// There is none; not before this instant again.
    Down(Instant),
    /// Being made.
    Connecting,
    /// Standing.
    Up,
}

/// A node that was dialled for so long and has not answered is passed over, if there is another one.
const DIAL_PATIENCE: Duration = Duration::from_millis(200);

/// How long a node that did not answer is passed over.
const AVOIDED_FOR: Duration = Duration::from_millis(500);

/// A caller that waits for an administrative answer.
pub(crate) type AdminWaiter = oneshot::Sender<Result<Bytes, Error>>;

/// The connection to one node.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stage: LinkStage,
    /// Tells it from its former selves.
    pub(crate) generation: u64,
    /// Wakes its writer.
    pub(crate) work: Arc<Notify>,
    pub(crate) next_request: u64,
    pub(crate) spans: Spans,
    /// Bytes under way.
    pub(crate) flying: usize,
    /// Most bytes under way.
    pub(crate) limit: usize,
    pub(crate) next_admin: u64,
    pub(crate) admin_queue: VecDeque<AdminRequest>,
    pub(crate) admin_waiting: BTreeMap<u64, (Instant, AdminWaiter)>,
    failures: u32,
    /// When the latest attempt to connect began.
    dialled_at: Instant,
    /// Until then others are asked instead.
    avoided_until: Instant,
}

/// Whether others are asked than this node.
pub(crate) fn is_avoided(links: &BTreeMap<NodeId, Link>, node: NodeId, now: Instant) -> bool {
    links
        .get(&node)
        .is_some_and(|link| link.avoided_until > now)
}

impl Link {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            stage: LinkStage::Down(now),
            generation: 0,
            work: Arc::new(Notify::new()),
            next_request: 1,
            spans: Spans::default(),
            flying: 0,
            limit: 0,
            next_admin: 0,
            admin_queue: VecDeque::new(),
            admin_waiting: BTreeMap::new(),
            failures: 0,
            dialled_at: now,
            avoided_until: now,
        }
    }

    /// Begins to connect.
    pub(crate) const fn dial(&mut self, now: Instant) {
        self.stage = LinkStage::Connecting;
        self.dialled_at = now;
    }

    /// While it is being connected to: when to ask another node instead, or to look again.
    pub(crate) fn patience_ends(&self) -> Instant {
        self.avoided_until.max(self.dialled_at + DIAL_PATIENCE)
    }

    /// Wakes the writer.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// Whether a request of `cost` bytes may be sent. One above the limit passes alone.
    pub(crate) const fn has_place(&self, cost: usize) -> bool {
        self.flying == 0 || self.flying + cost <= self.limit
    }

    /// Whether it stands, in this generation.
    pub(crate) fn is_up(&self, generation: u64) -> bool {
        self.stage == LinkStage::Up && self.generation == generation
    }

    /// Ends all questions.
    pub(crate) fn fail_admin(&mut self, error: &Error) {
        self.admin_queue.clear();
        for (_, (_, waiter)) in std::mem::take(&mut self.admin_waiting) {
            let _is_gone = waiter.send(Err(error.clone()));
        }
    }
}

impl Hub {
    /// Whether a connection to the node stands.
    pub(crate) fn is_connected(&self, node: NodeId) -> bool {
        self.links
            .get(&node)
            .is_some_and(|link| link.stage == LinkStage::Up)
    }

    /// Nodes that were connected to at some time, connected ones first.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.links.keys().copied().collect();
        nodes.sort_by_key(|node| !self.is_connected(*node));
        nodes
    }

    /// A connection stands. Returns its generation and what wakes its writer; nothing when there
    /// is one already.
    pub(crate) fn link_up(
        &mut self,
        node: NodeId,
        credit: usize,
        now: Instant,
    ) -> Option<(u64, Arc<Notify>)> {
        let limit = credit.min(self.window);
        let link = self.links.entry(node).or_insert_with(|| Link::new(now));
        if link.stage == LinkStage::Up {
            return None;
        }
        self.last_generation += 1;
        link.stage = LinkStage::Up;
        link.generation = self.last_generation;
        link.next_request = 1;
        link.flying = 0;
        link.limit = limit;
        link.avoided_until = now;
        link.wake();
        Some((link.generation, Arc::clone(&link.work)))
    }

    /// A connection could not be made: those who wanted the node try another one.
    pub(crate) fn link_failed(&mut self, node: NodeId, error: &Error, now: Instant) {
        self.take_down(node, error, now);
        self.avoid(node, now);
    }

    /// A node does not answer: others are asked for a while.
    pub(crate) fn avoid(&mut self, node: NodeId, now: Instant) {
        if let Some(link) = self.links.get_mut(&node) {
            link.avoided_until = now + AVOIDED_FOR;
        }
        for group in self.groups.values_mut() {
            group.turn_from(node, |other| is_avoided(&self.links, other, now));
        }
    }

    /// Whether something sent to the node is not answered yet.
    pub(crate) fn is_waiting_for(&self, node: NodeId, generation: u64) -> bool {
        let is_waiting = |link: &Link| {
            link.is_up(generation) && (link.flying > 0 || !link.admin_waiting.is_empty())
        };
        self.links.get(&node).is_some_and(is_waiting)
    }

    /// A connection broke: everything unanswered is sent again, under the same numbers.
    pub(crate) fn link_broken(
        &mut self,
        node: NodeId,
        generation: u64,
        error: &Error,
        now: Instant,
    ) {
        let is_current = self
            .links
            .get(&node)
            .is_some_and(|link| link.is_up(generation));
        if !is_current {
            return;
        }
        let Some(link) = self.links.get_mut(&node) else {
            return;
        };
        let lost: Vec<_> = link.spans.drain().collect();
        for (what, count) in lost {
            match what {
                What::Writes {
                    group,
                    session,
                    first_seq,
                } => {
                    let Some(group) = self.groups.get_mut(&group) else {
                        continue;
                    };
                    self.ready.insert(group.id);
                    let Some(session) = group.session(session) else {
                        continue;
                    };
                    for seq in first_seq..first_seq + count {
                        let Some(flight) = session.numbering.get_mut(seq) else {
                            continue;
                        };
                        if flight.stage == Stage::UnderWay(generation) {
                            flight.is_doubtful = true;
                            session.retry(seq, None);
                        }
                    }
                }
                What::Reads(ids) => {
                    for id in ids {
                        let Some(read) = self.reads.get_mut(id) else {
                            continue;
                        };
                        if read.stage == Stage::UnderWay(generation) {
                            read.stage = Stage::Waiting;
                            self.ready_reads.push(id);
                        }
                    }
                }
            }
        }
        self.take_down(node, error, now);
    }

    fn take_down(&mut self, node: NodeId, error: &Error, now: Instant) {
        let random = self.random.next();
        let Some(link) = self.links.get_mut(&node) else {
            return;
        };
        tracing::debug!(%node, %error, "A connection is down");
        link.fail_admin(error);
        link.failures += 1;
        let pause = match link.stage {
            // The first attempt after a break comes at once.
            LinkStage::Up => Duration::ZERO,
            LinkStage::Down(_) | LinkStage::Connecting => retry::pause(link.failures, random),
        };
        link.stage = LinkStage::Down(now + pause);
        self.alarm = true;
        self.trouble = Some(error.clone().with("node", node));
    }

    /// The node answers: the next failure begins with a short pause again.
    pub(crate) fn link_is_well(&mut self, node: NodeId) {
        if let Some(link) = self.links.get_mut(&node) {
            link.failures = 0;
        }
    }
}
