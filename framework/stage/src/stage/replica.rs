//! A replica on the stage: how it starts, and what belongs to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{
    DedupTable, EngineSpec, EntryId, Error, Executor, GroupLogOp, Host, HostBoot, Incarnation,
    InstanceGen, LogSeq, LogSlice, LogStore as _, Lsn, NodeId, PeerEvent, Protocol as _,
    SnapshotHeader, StreamId, load_snapshot, read_discards, tail_start,
};
use repertoire_segment_log::{MemoryDisk, Options, SegmentLog};
use repertoire_single_leader::SingleLeader;

use super::event::{Event, Wake};
use super::{GROUP, Stage};

/// Small segments: nothing here writes much.
const SEGMENT_BYTES: u32 = 64 * 1024;
const STREAM: StreamId = StreamId(0);

/// A node with its one replica.
#[derive(Default)]
pub(super) struct Replica {
    /// Counts starts and ends, so that what was meant for an earlier life is dropped.
    pub(super) boot: u64,
    pub(super) host: Option<Host<SingleLeader>>,
    pub(super) log: Option<SegmentLog<MemoryDisk>>,
    pub(super) desk: LogDesk,
    /// Of a node that is down.
    pub(super) disk: Option<MemoryDisk>,
    /// The newest durable snapshot.
    pub(super) snapshot: Option<(SnapshotHeader, Vec<Bytes>)>,
    /// The number of each timer's last setting.
    pub(super) timers: BTreeMap<u64, u64>,
}

/// What the log is to do: one burst is under way at a time.
#[derive(Default)]
pub(super) struct LogDesk {
    pub(super) queue: Vec<GroupLogOp>,
    /// The number of the last operation in the queue.
    pub(super) queued: LogSeq,
    /// The number of the last operation of the burst under way.
    pub(super) under_way: Option<LogSeq>,
    /// Whether that burst holds anything that must be on stable storage.
    pub(super) needs_sync: bool,
}

impl Stage {
    pub(super) fn start_on(&mut self, number: u64, disk: MemoryDisk) -> Result<(), Error> {
        let options = Options {
            retention_bytes: 0,
            ..Options::small(u128::from(number), SEGMENT_BYTES)
        };
        let mut log = SegmentLog::open(disk, options)?;
        let recovered = log.recovered().get(&GROUP).cloned().unwrap_or_default();
        let node = self.nodes.entry(number).or_default();
        node.boot += 1;
        let instance = InstanceGen(node.boot);
        let snapshot = node.snapshot.clone();
        let engine = || {
            let name = &self.descriptor.engine.name;
            (self.registry.get_engine(name)?)(&EngineSpec {
                descriptor: Arc::new(self.descriptor.clone()),
                folder: std::path::PathBuf::new(),
            })
        };
        let (engine, dedup, position) = match snapshot {
            None => (engine()?, DedupTable::default(), EntryId::ZERO),
            Some((header, chunks)) => {
                let position = header.position;
                let loaded = load_snapshot(header, chunks.into_iter().map(Ok), engine()?)?;
                (loaded.engine, loaded.dedup, position)
            }
        };
        let discards = read_discards(&mut log, GROUP, &recovered)?;
        let from = tail_start(&recovered, position).next();
        let tail = match log.read(GROUP, STREAM, from, usize::MAX) {
            Ok(LogSlice::Entries(entries)) => entries,
            _ => Vec::new(),
        };
        let now = self.clocks();
        let applied = engine.applied().clone();
        let boot = HostBoot {
            group: GROUP,
            descriptor: Arc::new(self.descriptor.clone()),
            me: NodeId(number),
            incarnation: Incarnation(u128::from(number)),
            instance,
            now,
            seed: number,
            log: &recovered,
            tail,
            discards,
            applied,
            position,
            dedup,
            registry: Arc::clone(&self.registry),
        };
        let executor = Executor::new(engine, &self.registry);
        let host = Host::boot(boot, Some(executor), SingleLeader::boot)?;
        if let Some(node) = self.nodes.get_mut(&number) {
            node.host = Some(host);
            node.log = Some(log);
        }
        self.settle(number)?;
        self.greet(number);
        Ok(())
    }

    /// The links of a node that has just started come up, on both sides.
    fn greet(&mut self, number: u64) {
        let others: Vec<u64> = self.nodes.keys().copied().collect();
        for other in others.into_iter().filter(|other| *other != number) {
            self.tell_link(number, other, PeerEvent::Up);
            self.tell_link(other, number, PeerEvent::Up);
        }
    }

    /// Tells a node about its link to a peer, a moment from now.
    pub(super) fn tell_link(&mut self, number: u64, peer: u64, event: PeerEvent) {
        let is_up = |node: u64| {
            let node = self.nodes.get(&node);
            node.is_some_and(|node| node.host.is_some())
        };
        if !is_up(number) || (event == PeerEvent::Up && (!is_up(peer) || self.is_cut(number, peer)))
        {
            return;
        }
        let boot = self.nodes.get(&number).map_or(0, |node| node.boot);
        let span = self.link_time(number, peer);
        let peer = NodeId(peer);
        let link = Event::Wake {
            node: number,
            boot,
            what: Wake::Link { peer, event },
        };
        self.after(span, link);
    }

    /// What a replica has applied.
    pub fn applied(&self, node: u64) -> Lsn {
        let host = self.nodes.get(&node).and_then(|node| node.host.as_ref());
        host.map_or(Lsn::ZERO, |host| host.applied().lsn)
    }
}
