//! A sink that remembers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repertoire_core::{Class, Delivery, LinkEvent, NodeId, TransportSink};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::number_of;

/// Nothing that a check waits for takes this long on a machine that works.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a [`Recorder`] has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Links that are up.
    pub up: Vec<NodeId>,
    /// Reasons of links that went down, in order.
    pub downs: Vec<(NodeId, String)>,
    /// Peers whose outbox has room again, in order.
    pub writable: Vec<NodeId>,
    /// Peers reported silent.
    pub silent: Vec<NodeId>,
    /// Frames (number and length of the body) per peer and class, in order.
    pub frames: BTreeMap<(NodeId, Class), Vec<(u32, usize)>>,
    /// Class and number of frames of each delivery, in order.
    pub deliveries: Vec<(NodeId, Class, usize)>,
    /// Classes whose deliveries are refused.
    pub refusing: Vec<Class>,
    /// A frame came from a peer whose link was not up.
    pub early: bool,
}

impl Seen {
    /// Frames of a peer and class.
    pub fn of(&self, from: NodeId, class: Class) -> &[(u32, usize)] {
        self.frames.get(&(from, class)).map_or(&[], Vec::as_slice)
    }
}

/// A sink that remembers what it was given, and can refuse.
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<Seen>,
    changed: Notify,
}

impl Recorder {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses (or takes) deliveries of a class from now on.
    pub fn refuse(&self, class: Class, refuse: bool) {
        let mut seen = self.seen();
        seen.refusing.retain(|other| *other != class);
        if refuse {
            seen.refusing.push(class);
        }
    }

    /// Waits until what was seen satisfies `is_enough`.
    ///
    /// # Panics
    /// When that takes far too long; `what` says what was waited for.
    pub async fn until(&self, what: &str, is_enough: impl Fn(&Seen) -> bool) {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if is_enough(&self.seen()) {
                    return;
                }
                changed.await;
            }
        };
        let in_time = timeout(PATIENCE, waiting).await;
        assert!(
            in_time.is_ok(),
            "waited in vain for {what}: {:?}",
            self.summary()
        );
    }

    fn summary(&self) -> Vec<String> {
        let seen = self.seen();
        let counts = seen
            .frames
            .iter()
            .map(|(from, frames)| format!("{from:?}: {}", frames.len()));
        let links = format!(
            "up {:?}, down {:?}, writable {:?}",
            seen.up, seen.downs, seen.writable
        );
        counts.chain([links]).collect()
    }
}

impl TransportSink for Recorder {
    fn deliver(&self, delivery: Delivery) -> bool {
        let mut seen = self.seen();
        let Delivery {
            from,
            class,
            frames,
        } = delivery;
        seen.early |= !seen.up.contains(&from);
        seen.deliveries.push((from, class, frames.len()));
        let numbers = frames.iter().map(|frame| number_of(frame, class));
        seen.frames
            .entry((from, class))
            .or_default()
            .extend(numbers);
        let is_taken = !seen.refusing.contains(&class);
        drop(seen);
        self.changed.notify_waiters();
        is_taken
    }

    fn link(&self, event: LinkEvent) {
        let mut seen = self.seen();
        match event {
            LinkEvent::Up { peer } => seen.up.push(peer),
            LinkEvent::Down { peer, reason } => {
                seen.up.retain(|up| *up != peer);
                seen.downs.push((peer, reason));
            }
            LinkEvent::Silent { peer } => seen.silent.push(peer),
            LinkEvent::Writable { peer } => seen.writable.push(peer),
        }
        drop(seen);
        self.changed.notify_waiters();
    }
}
