//! The decorator.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use repertoire_core::{Error, LinkEvent, NodeId, Outgoing, Transport, TransportSink};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::lanes::Lanes;
use crate::plan::{Direction, FaultCounts, FaultPlan};
use crate::sink::FaultySink;

/// How often the task looks whether the decorator is still there.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// What the decorator, its sink and its task share.
pub(crate) struct Shared {
    below: Arc<dyn Transport>,
    node: OnceLock<Arc<dyn TransportSink>>,
    lanes: Mutex<Lanes>,
    held: Notify,
}

impl Shared {
    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: LinkEvent) {
        if let Some(node) = self.node.get() {
            node.link(event);
        }
    }
}

/// A transport that drops, delays, duplicates and cuts. Cheap to clone.
#[derive(Clone)]
pub struct FaultyTransport(Arc<Shared>);

impl std::fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FaultyTransport")
            .field(&self.counts())
            .finish()
    }
}

impl FaultyTransport {
    /// Makes `below` worse by a plan.
    pub fn new(below: Arc<dyn Transport>, plan: FaultPlan) -> Self {
        Self(Arc::new(Shared {
            below,
            node: OnceLock::new(),
            lanes: Mutex::new(Lanes::new(plan)),
            held: Notify::new(),
        }))
    }

    /// Follows another plan from now on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.0.lanes().plan = plan;
    }

    /// Lets frames of that direction vanish, as a partition would. No link ends; a node to which
    /// nothing gets through any more hears that the peer is silent.
    pub fn cut(&self, peer: NodeId, direction: Direction) {
        let mut lanes = self.0.lanes();
        if direction.is_out() {
            lanes.cut_out.insert(peer);
            lanes.forget(peer);
        }
        if direction.is_in() {
            lanes.cut_in.insert(peer);
        }
        let is_deaf = direction.is_in() && lanes.up.contains(&peer);
        drop(lanes);
        if is_deaf {
            self.0.tell(LinkEvent::Silent { peer });
        }
    }

    /// Breaks the link as seen from this node, and reports it down.
    pub fn sever(&self, peer: NodeId) {
        let was_up = {
            let mut lanes = self.0.lanes();
            lanes.forget(peer);
            lanes.severed.insert(peer) && lanes.up.contains(&peer)
        };
        if was_up {
            let reason = "severed by the fault plan".to_owned();
            self.0.tell(LinkEvent::Down { peer, reason });
        }
    }

    /// Ends all cuts of a peer; a severed link is reported up if it is up below.
    pub fn heal(&self, peer: NodeId) {
        let comes_up = {
            let mut lanes = self.0.lanes();
            lanes.cut_out.remove(&peer);
            lanes.cut_in.remove(&peer);
            lanes.severed.remove(&peer) && lanes.up.contains(&peer)
        };
        if comes_up {
            self.0.tell(LinkEvent::Up { peer });
        }
        // A delivery that was refused while the link was cut must not pause it for ever.
        self.0.below.resume(peer);
    }

    /// What has been done so far.
    pub fn counts(&self) -> FaultCounts {
        self.0.lanes().counts
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transport for FaultyTransport {
    async fn start(&self, sink: Arc<dyn TransportSink>) -> Result<(), Error> {
        let shared = &self.0;
        // The first sink stays; the transport below refuses a second start.
        let _set = shared.node.set(sink.clone());
        let faulty = FaultySink {
            shared: shared.clone(),
            node: sink,
        };
        shared.below.start(Arc::new(faulty)).await?;
        tokio::spawn(pump(Arc::downgrade(shared)));
        Ok(())
    }

    fn send(&self, to: NodeId, frames: Vec<Outgoing>) -> usize {
        // The lock is held until the frames are below, so that none overtakes those held back.
        let mut lanes = self.0.lanes();
        if lanes.severed.contains(&to) || !lanes.up.contains(&to) {
            return 0;
        }
        let (passing, taken) = lanes.judge(to, frames, Instant::now());
        let (places, frames): (Vec<usize>, Vec<Outgoing>) = passing.into_iter().unzip();
        let passed = self.0.below.send(to, frames);
        drop(lanes);
        self.0.held.notify_one();
        places.get(passed).map_or(taken, |place| taken.min(*place))
    }

    fn resume(&self, peer: NodeId) {
        self.0.below.resume(peer);
    }

    fn introduce(&self, peer: NodeId, address: &str) {
        self.0.below.introduce(peer, address);
    }

    fn forget(&self, peer: NodeId) {
        self.0.below.forget(peer);
    }

    async fn close(&self, patience: Duration) {
        let held = self.0.lanes().release();
        for (to, frames) in held {
            self.0.below.send(to, frames);
        }
        self.0.below.close(patience).await;
    }
}

/// Sends what was held back when its time comes, until the decorator is gone.
async fn pump(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let next = {
            let mut lanes = shared.lanes();
            let (due, next) = lanes.due(Instant::now());
            for (to, frames) in due {
                // Frames that the transport below refuses are lost; that, too, is a fault.
                shared.below.send(to, frames);
            }
            next
        };
        let wake = next.unwrap_or_else(|| Instant::now() + LOOK_AROUND);
        let _woken = timeout_at(wake, shared.held.notified()).await;
    }
}
