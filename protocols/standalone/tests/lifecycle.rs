//! The life of a standalone replica, over a disk that the test syncs and tears.

#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, and says why"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use repertoire_core::{
    Acks, Admission, Applied, Boot, Descriptor, Durability, Effects, Entry, EntryId, ErrorKind,
    Fate, FormatTag, GroupId, Incarnation, Input, InstanceGen, KeyspaceId, LeaderEpoch, LogOp,
    LogSeq, Lsn, NodeId, Now, Position, Proposal, ProposalId, Protocol, ReadLevel, ReadVerdict,
    RecoveredGroup, RecoveredStream, StreamId, Ticket, Wall,
};
use repertoire_standalone::{Message, Standalone};

/// One replica, its disk and its engine.
struct Rig {
    descriptor: Arc<Descriptor>,
    machine: Standalone,
    fx: Effects<Message>,
    unsynced: Vec<(LogSeq, LogOp)>,
    hard_state: Bytes,
    log: Vec<Entry>,
    engine: Vec<Entry>,
    applied: Applied,
    fates: Vec<Fate>,
    /// Placed in this boot, not acknowledged yet.
    placed: Vec<u64>,
    acked: Vec<u64>,
    reads: Vec<ReadVerdict>,
    admission: Option<Admission>,
    proposals: u64,
}

impl Rig {
    fn new(durability: Durability) -> Self {
        let nodes = [NodeId(1)];
        let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "notes", "standalone", &nodes);
        descriptor.options.acks = Acks::Async;
        descriptor.options.durability = durability;
        let descriptor = Arc::new(descriptor);
        let (machine, fx) = start(&descriptor, &Bytes::new(), &[], &Applied::default());
        let mut rig = Self {
            descriptor,
            machine,
            fx,
            unsynced: Vec::new(),
            hard_state: Bytes::new(),
            log: Vec::new(),
            engine: Vec::new(),
            applied: Applied::default(),
            fates: Vec::new(),
            placed: Vec::new(),
            acked: Vec::new(),
            reads: Vec::new(),
            admission: None,
            proposals: 0,
        };
        rig.flush();
        rig
    }

    /// A power cut after which the first `survives` unsynced operations are still there.
    fn lose_power(&mut self, survives: usize) {
        self.sync_first(survives);
        self.unsynced.clear();
        self.placed.clear();
        self.engine.clear();
        self.applied = Applied::default();
        let boot = start(&self.descriptor, &self.hard_state, &self.log, &self.applied);
        (self.machine, self.fx) = boot;
        self.admission = None;
        self.flush();
    }

    fn sync_first(&mut self, count: usize) -> Option<LogSeq> {
        let mut last = None;
        for (seq, op) in self.unsynced.drain(..count.min(self.unsynced.len())) {
            match op {
                LogOp::HardState(bytes) => self.hard_state = bytes,
                LogOp::Append { entry, .. } => self.log.push(entry),
                LogOp::Truncate { .. }
                | LogOp::Checkpoint { .. }
                | LogOp::Reset { .. }
                | LogOp::Repaired => {}
            }
            last = Some(seq);
        }
        last
    }

    fn sync(&mut self) {
        while let Some(seq) = self.sync_first(usize::MAX) {
            self.machine
                .step(Now::default(), Input::Durable(seq), &mut self.fx);
            self.flush();
        }
    }

    fn propose(&mut self, acks: Acks) {
        self.proposals += 1;
        let mut proposals = vec![Proposal {
            id: ProposalId(self.proposals),
            count: 2,
            acks,
            format: FormatTag(1),
            wall: Wall(0),
            body: Bytes::from(self.proposals.to_string()),
        }];
        self.machine
            .step(Now::default(), Input::Propose(&mut proposals), &mut self.fx);
        self.flush();
    }

    fn read(&mut self, level: &ReadLevel) -> ReadVerdict {
        let ticket = Ticket(1);
        self.machine
            .step(Now::default(), Input::Read { ticket, level }, &mut self.fx);
        self.flush();
        self.reads.pop().expect("a verdict")
    }

    fn session(&mut self, epoch: u64, lsn: u64) -> ReadVerdict {
        let id = EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
        self.read(&ReadLevel::Session(Position::Entry(id)))
    }

    fn flush(&mut self) {
        self.machine.flush(Now::default(), &mut self.fx);
        let ops = std::mem::take(&mut self.fx.log);
        let first = self.fx.last_log_seq().0 + 1 - ops.len() as u64;
        self.unsynced.extend((first..).map(LogSeq).zip(ops));
        self.applied.frontier = self
            .fx
            .frontier
            .take()
            .unwrap_or(self.applied.frontier.clone());
        for entry in self.fx.apply.drain(..) {
            assert_eq!(entry.first, self.applied.lsn.next(), "applied in order");
            self.applied.lsn = entry.last_lsn();
            self.engine.push(entry);
        }
        for fate in self.fx.fates.drain(..) {
            match &fate {
                Fate::Placed { proposal, .. } => self.placed.push(proposal.0),
                Fate::Acked { through, copies } => {
                    assert_eq!(*copies, 1);
                    let done = self
                        .placed
                        .iter()
                        .filter(|placed| **placed <= through.0)
                        .count();
                    self.acked.extend(self.placed.drain(..done));
                }
                Fate::Refused { .. } | Fate::Unknown { .. } => self.fates.push(fate),
            }
        }
        self.reads.append(&mut self.fx.reads);
        self.admission = self.fx.admission.take().or(self.admission);
        let applied = Input::Applied(self.applied.lsn);
        self.machine.step(Now::default(), applied, &mut self.fx);
        self.admission = self.fx.admission.take().or(self.admission);
        assert!(self.fx.sends.is_empty(), "there is nobody to talk to");
    }
}

fn start(
    descriptor: &Arc<Descriptor>,
    hard_state: &Bytes,
    log: &[Entry],
    applied: &Applied,
) -> (Standalone, Effects<Message>) {
    let stream = RecoveredStream {
        last: log.last().map_or(EntryId::ZERO, Entry::last),
        ..RecoveredStream::default()
    };
    let recovered = RecoveredGroup {
        hard_state: hard_state.clone(),
        streams: BTreeMap::from([(StreamId(0), stream)]),
        damaged: false,
    };
    let mut fx = Effects::default();
    let boot = Boot {
        group: GroupId::new(1, 0),
        descriptor: descriptor.clone(),
        me: NodeId(1),
        incarnation: Incarnation(1),
        instance: InstanceGen(1),
        now: Now::default(),
        seed: 1,
        log: &recovered,
        tail: log.to_vec(),
        discards: Vec::new(),
        applied,
    };
    let machine = Standalone::boot(boot, &mut fx).expect("a replica that boots");
    (machine, fx)
}

#[test]
fn a_write_is_acknowledged_once_it_is_durable_and_not_before() {
    let mut rig = Rig::new(Durability::Disk);
    rig.propose(Acks::Async);
    assert_eq!((rig.acked.len(), rig.engine.len()), (0, 0));
    rig.sync();
    assert_eq!(
        (rig.acked.len(), rig.engine.len()),
        (1, 2),
        "the barrier and the write"
    );
    assert_eq!(rig.admission, Some(Admission::Open));
}

#[test]
fn nothing_is_appended_before_the_epoch_is_durable() {
    let mut rig = Rig::new(Durability::Memory);
    rig.propose(Acks::Async);
    let is_hard_state = |(_, op): &(LogSeq, LogOp)| matches!(op, LogOp::HardState(_));
    assert!(rig.unsynced.iter().all(is_hard_state));
    rig.sync();
    assert_eq!(rig.acked, [1]);
}

#[test]
fn in_memory_an_appended_write_counts_at_once() {
    let mut rig = Rig::new(Durability::Memory);
    rig.sync();
    rig.propose(Acks::Async);
    assert_eq!(rig.acked, [1]);
    assert!(!rig.unsynced.is_empty());
}

#[test]
fn a_second_copy_is_never_promised() {
    let mut rig = Rig::new(Durability::Disk);
    rig.sync();
    rig.propose(Acks::SemiSync(1));
    let refused = rig.fates.pop();
    assert!(matches!(refused, Some(Fate::Refused { .. })), "{refused:?}");
}

#[test]
fn a_position_of_a_lost_tail_is_told_from_the_one_given_out_again() {
    let mut rig = Rig::new(Durability::Memory);
    rig.sync();
    rig.propose(Acks::Async);
    assert!(matches!(
        rig.session(1, 3),
        ReadVerdict::ServeAt { at: Lsn(3), .. }
    ));
    rig.lose_power(0);
    rig.sync();
    rig.propose(Acks::Async);
    let ReadVerdict::Refused { error, .. } = rig.session(1, 3) else {
        panic!("the position is gone");
    };
    assert!(matches!(error.kind(), ErrorKind::Discarded { .. }));
    assert!(matches!(
        rig.session(2, 3),
        ReadVerdict::ServeAt { at: Lsn(3), .. }
    ));
}

proptest! {
    /// Writes, syncs and power cuts in any order: what was acknowledged is there, in order.
    #[test]
    fn no_power_cut_loses_an_acknowledged_write(
        steps in prop::collection::vec((0_u8..6, 0_usize..4), 1..60),
    ) {
        let mut rig = Rig::new(Durability::Disk);
        for (step, survives) in steps {
            match step {
                0..=2 => rig.propose(Acks::Async),
                3 | 4 => rig.sync(),
                _ => rig.lose_power(survives),
            }
        }
        rig.lose_power(0);
        rig.sync();
        let texts = rig.engine.iter().filter(|entry| !entry.body.is_empty());
        let kept: Vec<u64> = texts
            .map(|entry| std::str::from_utf8(&entry.body).unwrap().parse().unwrap())
            .collect();
        prop_assert!(kept.is_sorted(), "in the order of the log");
        let lost: Vec<&u64> = rig.acked.iter().filter(|acked| !kept.contains(acked)).collect();
        prop_assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let walls: Vec<Wall> = rig.engine.iter().map(|entry| entry.wall).collect();
        prop_assert!(walls.is_sorted());
    }
}
