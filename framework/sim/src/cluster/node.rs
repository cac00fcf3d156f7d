//! A node and its replicas: the parts that live in memory, and those that outlive a crash.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use repertoire_core::{
    Executor, GroupLogOp, Host, Incarnation, Job, JobResult, LogRead, LogSeq, NodeId,
    SnapshotHeader, SnapshotReceiver,
};
use repertoire_segment_log::{MemoryDisk, SegmentLog};
use repertoire_storage_faulty::FaultyDisk;

use crate::cast::Cast;
use crate::clock::{Nanos, NodeClock};
use crate::invariants::monotone::Progress;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::watch::discards::DiscardBook;
use crate::watch::{Extent, LogStates, SharedTape, Tape};

/// The disk of a node: the real log's code runs over it.
pub(crate) type SimDisk = FaultyDisk<MemoryDisk>;

/// The log of a running node, with what waits for it.
#[derive(Debug, Default)]
pub(crate) struct LogDesk {
    pub(crate) store: Option<SegmentLog<SimDisk>>,
    /// Operations not written yet, and whom to tell up to which number.
    pub(crate) queue: Vec<GroupLogOp>,
    pub(crate) marks: Vec<(u8, LogSeq)>,
    pub(crate) reads: Vec<(u8, LogRead)>,
    /// A burst is under way.
    pub(crate) is_busy: bool,
    pub(crate) told: Vec<(u8, LogSeq)>,
    pub(crate) needs_sync: bool,
    /// The disk is full: what waits is tried again.
    pub(crate) is_full: bool,
    /// The disk failed, and the log went on: nothing that it says counts any more.
    pub(crate) is_doubtful: bool,
}

/// A snapshot on disk.
#[derive(Clone, Debug)]
pub(crate) struct StoredSnapshot {
    pub(crate) header: SnapshotHeader,
    pub(crate) chunks: Vec<Bytes>,
}

/// A snapshot being received.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) receiver: SnapshotReceiver,
    pub(crate) chunks: Vec<Bytes>,
    /// Complete: being made durable and loaded.
    pub(crate) is_loading: bool,
}

/// Snapshots of one replica.
#[derive(Debug, Default)]
pub(crate) struct SnapshotDesk {
    /// Survives everything.
    pub(crate) durable: Option<Arc<StoredSnapshot>>,
    /// Chunks of the one being made.
    pub(crate) building: Vec<Bytes>,
    /// Complete, not yet durable.
    pub(crate) finished: Option<Arc<StoredSnapshot>>,
    /// Peers that wait for a snapshot to send.
    pub(crate) wanted_by: Vec<NodeId>,
    /// Peers that were offered one.
    pub(crate) offered: Vec<Offered>,
    pub(crate) incoming: Option<Incoming>,
    /// Chunks of a broken-off transfer, found again on disk.
    pub(crate) partial: Option<StoredSnapshot>,
    pub(crate) is_stepping: bool,
    /// A look at the transfers is planned.
    pub(crate) is_ticking: bool,
}

/// A snapshot offered to a peer.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) to: NodeId,
    pub(crate) stored: Arc<StoredSnapshot>,
    /// When the peer was heard last.
    pub(crate) heard: Nanos,
}

/// A timer of a replica: one planned event at most, moved along lazily.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerSlot {
    pub(crate) key: u64,
    /// When it passes; `Nanos::MAX` when it is not set.
    pub(crate) at: Nanos,
    /// When the planned event comes; `Nanos::MAX` when there is none.
    pub(crate) planned: Nanos,
}

/// A replica of one keyspace on one node.
pub(crate) struct Replica<C: Cast> {
    /// Whether this node holds the keyspace at all.
    pub(crate) is_member: bool,
    pub(crate) host: Option<Host<C::Machine>>,
    pub(crate) is_dirty: bool,
    pub(crate) timers: Vec<TimerSlot>,
    pub(crate) deadline: Nanos,
    pub(crate) tape: SharedTape,
    /// Where this replica stands in the canon.
    pub(crate) place: usize,
    /// The engine, when it runs elsewhere.
    pub(crate) executor: Option<Executor>,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) job_under_way: Option<JobResult>,
    /// What the replica ordered, and what reached the disk of it.
    pub(crate) ordered: Extent,
    pub(crate) log: LogStates,
    pub(crate) discards: DiscardBook,
    pub(crate) snapshots: SnapshotDesk,
    pub(crate) progress: Progress,
    /// The last record that the log held at boot.
    pub(crate) recovered: u64,
    /// The last record handed to the engine when the last batch ended.
    pub(crate) applied: u64,
}

impl<C: Cast> Replica<C> {
    fn new(is_member: bool) -> Self {
        Self {
            is_member,
            host: None,
            is_dirty: false,
            timers: Vec::new(),
            deadline: Nanos::MAX,
            tape: Arc::new(Mutex::new(Tape::default())),
            place: 0,
            executor: None,
            jobs: VecDeque::new(),
            job_under_way: None,
            ordered: Extent::default(),
            log: LogStates::default(),
            discards: DiscardBook::default(),
            snapshots: SnapshotDesk::default(),
            progress: Progress::default(),
            recovered: 0,
            applied: 0,
        }
    }

    /// The position of the durable snapshot.
    pub(crate) fn snapshot_lsn(&self) -> u64 {
        let durable = self.snapshots.durable.as_ref();
        durable.map_or(0, |stored| stored.header.position.lsn.0)
    }
}

/// A node.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, not a state"
)]
pub(crate) struct Node<C: Cast> {
    pub(crate) clock: NodeClock,
    pub(crate) incarnation: Incarnation,
    /// The disk that it had at first.
    pub(crate) founded: Incarnation,
    /// Number of starts; zero before the first.
    pub(crate) boot: u32,
    pub(crate) is_up: bool,
    pub(crate) booted_at: Nanos,
    pub(crate) paused_until: Nanos,
    /// A flush is planned.
    pub(crate) flush_planned: bool,
    pub(crate) replicas: Vec<Replica<C>>,
    pub(crate) log: LogDesk,
    /// The disk while the node is down.
    pub(crate) disk: Option<SimDisk>,
    /// Whether what was only written may be gone since the last shutdown.
    pub(crate) lost_power: bool,
    /// Bits of its log flipped, at any time.
    pub(crate) has_rotted: bool,
    /// One has since the last start.
    pub(crate) is_rotting: bool,
    /// It has got an empty disk since the last start.
    pub(crate) is_blank: bool,
    pub(crate) stalled_until: Nanos,
    pub(crate) slow_disk_until: Nanos,
    pub(crate) slow_engine_until: Nanos,
    /// It stays down in the last phase.
    pub(crate) is_gone: bool,
}

impl<C: Cast> Node<C> {
    /// An empty disk, which is another one, takes the place of the node's own.
    pub(crate) fn take_new_disk(&mut self, rng: &mut Rng) {
        self.disk = Some(FaultyDisk::new(MemoryDisk::new()));
        self.incarnation =
            Incarnation(u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64()));
        (self.has_rotted, self.is_blank) = (true, true);
        for replica in &mut self.replicas {
            replica.snapshots = SnapshotDesk::default();
        }
    }

    pub(crate) fn new(index: usize, plan: &Plan, rng: &mut Rng) -> Self {
        let skew = rng.below(400).cast_signed() - 200;
        let incarnation = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        let replicas = plan
            .groups
            .iter()
            .map(|group| Replica::new(group.founders.contains(&index)));
        Self {
            clock: NodeClock::new(rng.below(1 << 50), skew),
            incarnation: Incarnation(incarnation),
            founded: Incarnation(incarnation),
            boot: 0,
            is_up: false,
            booted_at: 0,
            paused_until: 0,
            flush_planned: false,
            replicas: replicas.collect(),
            log: LogDesk::default(),
            disk: Some(FaultyDisk::new(MemoryDisk::new())),
            lost_power: false,
            has_rotted: false,
            is_rotting: false,
            is_blank: false,
            stalled_until: 0,
            slow_disk_until: 0,
            slow_engine_until: 0,
            is_gone: false,
        }
    }
}
