//! Counters: plain atomics, read as a snapshot.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use repertoire_wire::hello::RefusalReason;

/// Room for this many kinds of refusal; later ones share the last place.
const REASONS: usize = 64;

/// What the transport counts.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) links_up: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    pub(crate) retries_asked: AtomicU64,
    pub(crate) frames_sent: AtomicU64,
    pub(crate) frames_refused: AtomicU64,
    pub(crate) frames_oversized: AtomicU64,
    pub(crate) frames_received: AtomicU64,
    pub(crate) frames_skipped: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    refusals: [AtomicU64; REASONS],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            links_up: AtomicU64::default(),
            handshakes: AtomicU64::default(),
            retries_asked: AtomicU64::default(),
            frames_sent: AtomicU64::default(),
            frames_refused: AtomicU64::default(),
            frames_oversized: AtomicU64::default(),
            frames_received: AtomicU64::default(),
            frames_skipped: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            bytes_received: AtomicU64::default(),
            refusals: std::array::from_fn(|_| AtomicU64::default()),
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, value: usize) {
    counter.fetch_add(value as u64, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn refused(&self, reason: RefusalReason) {
        let place = usize::from(reason.code()).min(REASONS - 1);
        if let Some(counter) = self.refusals.get(place) {
            add(counter, 1);
        }
    }

    pub(crate) fn snapshot(&self) -> TransportStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refusals = (0..).zip(&self.refusals).filter_map(|(code, counter)| {
            let count = read(counter);
            (count > 0).then(|| (RefusalReason::from_code(code), count))
        });
        TransportStats {
            links_up: read(&self.links_up),
            handshakes: read(&self.handshakes),
            retries_asked: read(&self.retries_asked),
            frames_sent: read(&self.frames_sent),
            frames_refused: read(&self.frames_refused),
            frames_oversized: read(&self.frames_oversized),
            frames_received: read(&self.frames_received),
            frames_skipped: read(&self.frames_skipped),
            bytes_sent: read(&self.bytes_sent),
            bytes_received: read(&self.bytes_received),
            refusals: refusals.collect(),
        }
    }
}

/// What the transport has counted since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportStats {
    /// Links to peers that came up, over time.
    pub links_up: u64,
    /// Handshakes that began on the accepting side.
    pub handshakes: u64,
    /// Strangers that were asked to prove their address first.
    pub retries_asked: u64,
    /// Frames taken into outboxes of peers.
    pub frames_sent: u64,
    /// Frames refused because an outbox was full.
    pub frames_refused: u64,
    /// Frames dropped because they are above the cap of their class: a bug of whoever made them.
    pub frames_oversized: u64,
    /// Frames delivered from peers.
    pub frames_received: u64,
    /// Frames of kinds that this version does not know.
    pub frames_skipped: u64,
    /// Bytes handed to QUIC for peers.
    pub bytes_sent: u64,
    /// Bytes that came from peers.
    pub bytes_received: u64,
    /// Refused connections, on either side, by reason.
    pub refusals: BTreeMap<RefusalReason, u64>,
}
