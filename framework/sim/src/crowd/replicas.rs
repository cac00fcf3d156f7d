//! The leader and its followers: the protocol's machines, and links that take time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{
    Acks, Applied, Boot, Descriptor, Effects, EntryId, Fate, FormatTag, GroupId, Incarnation,
    Input, InstanceGen, KeyspaceId, LogSeq, Lsn, Mono, NodeId, Now, Proposal, ProposalId, Protocol,
    ReadLevel, ReadVerdict, RecoveredGroup, Ticket, Wall,
};
use repertoire_single_leader::{Message, SingleLeader};

use super::{Agenda, Happening};
use crate::clock::{MICRO, MILLI, Nanos};
use crate::rng::Rng;

/// The group that all replicas belong to.
pub(super) const GROUP: GroupId = GroupId::new(1, 0);

/// Something that reaches a replica.
pub(super) enum Event {
    /// A message of another replica.
    Message {
        from: u64,
        to: u64,
        message: Message,
    },
    /// A timer, if it is still set for that moment.
    Timer { node: u64, key: u64, at: Mono },
}

/// An operation that ended.
pub(super) enum Done {
    /// Written there.
    Written { session: u32, at: EntryId },
    /// Read there, by so many records behind the leader.
    Read {
        session: u32,
        at: EntryId,
        lag_records: u64,
    },
}

struct Replica {
    machine: SingleLeader,
    fx: Effects<Message>,
    logged: LogSeq,
    timers: BTreeMap<u64, Mono>,
    applied: EntryId,
    /// Mean time of a message to or from the leader.
    delay: Nanos,
    /// When the last message on its way arrives, to and from the leader: links keep the order.
    last: [Nanos; 2],
}

/// All replicas; node 1 leads.
pub(super) struct Replicas {
    nodes: Vec<Replica>,
    rng: Rng,
    now: Nanos,
    proposals: u64,
    tickets: u64,
    writing: BTreeMap<u64, (u32, Option<EntryId>)>,
    reading: BTreeMap<(u64, u64), u32>,
    done: Vec<Done>,
    /// Reads that were not answered at once.
    pub(super) waited: u64,
}

impl Replicas {
    pub(super) fn start(followers: u64, rng: &mut Rng, agenda: &mut Agenda) -> Self {
        let ids: Vec<NodeId> = (1..=followers + 1).map(NodeId).collect();
        let mut descriptor =
            Descriptor::single_shard(KeyspaceId(1), "crowd", "single-leader", &ids);
        descriptor.options.acks = Acks::Async;
        let descriptor = Arc::new(descriptor);
        let mut nodes = Vec::new();
        for id in &ids {
            let mut fx = Effects::default();
            let boot = Boot {
                group: GROUP,
                descriptor: Arc::clone(&descriptor),
                me: *id,
                incarnation: Incarnation(u128::from(id.0)),
                instance: InstanceGen(1),
                now: moment(0),
                seed: rng.next_u64(),
                log: &RecoveredGroup::default(),
                tail: Vec::new(),
                discards: Vec::new(),
                applied: &Applied::default(),
            };
            let machine = SingleLeader::boot(boot, &mut fx).expect("a fresh replica boots");
            nodes.push(Replica {
                machine,
                fx,
                logged: LogSeq(0),
                timers: BTreeMap::new(),
                applied: EntryId::ZERO,
                delay: (50 * MICRO) << rng.below(11),
                last: [0; 2],
            });
        }
        let mut replicas = Self {
            nodes,
            rng: rng.fork(2),
            now: 0,
            proposals: 0,
            tickets: 0,
            writing: BTreeMap::new(),
            reading: BTreeMap::new(),
            done: Vec::new(),
            waited: 0,
        };
        for id in ids {
            replicas.flush(id.0, agenda);
        }
        replicas
    }

    /// How many followers there are.
    pub(super) fn followers(&self) -> u64 {
        self.nodes.len() as u64 - 1
    }

    pub(super) fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    pub(super) fn on_event(&mut self, now: Nanos, event: Event, agenda: &mut Agenda) {
        self.now = now;
        match event {
            Event::Message { from, to, message } => {
                let from = NodeId(from);
                self.step(to, Input::Message { from, message }, agenda);
            }
            Event::Timer { node, key, at } => {
                let timers = &mut self.node(node).timers;
                if timers.get(&key) == Some(&at) {
                    timers.remove(&key);
                    self.step(node, Input::Timer(key), agenda);
                }
            }
        }
    }

    /// A session writes at the leader.
    pub(super) fn write(&mut self, now: Nanos, session: u32, agenda: &mut Agenda) {
        self.now = now;
        self.proposals += 1;
        let proposal = Proposal {
            id: ProposalId(self.proposals),
            count: 1,
            acks: Acks::Async,
            format: FormatTag(1),
            wall: Wall(now / MILLI),
            body: Bytes::from_static(b"a record"),
        };
        self.writing.insert(self.proposals, (session, None));
        self.step(1, Input::Propose(&mut vec![proposal]), agenda);
    }

    /// A session reads at a follower.
    pub(super) fn read(
        &mut self,
        now: Nanos,
        (session, node): (u32, u64),
        level: &ReadLevel,
        agenda: &mut Agenda,
    ) {
        self.now = now;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.reading.insert((node, ticket.0), session);
        self.step(node, Input::Read { ticket, level }, agenda);
        self.waited += u64::from(self.reading.contains_key(&(node, ticket.0)));
    }

    fn node(&mut self, id: u64) -> &mut Replica {
        let place = usize::try_from(id - 1).expect("a small number");
        &mut self.nodes[place]
    }

    fn step(&mut self, id: u64, input: Input<'_, Message>, agenda: &mut Agenda) {
        let now = moment(self.now);
        let node = self.node(id);
        Protocol::step(&mut node.machine, now, input, &mut node.fx);
        self.flush(id, agenda);
    }

    fn flush(&mut self, id: u64, agenda: &mut Agenda) {
        let now = moment(self.now);
        let node = self.node(id);
        Protocol::flush(&mut node.machine, now, &mut node.fx);
        let fx = &mut node.fx;
        let (sends, reads) = (std::mem::take(&mut fx.sends), std::mem::take(&mut fx.reads));
        let (fates, timers) = (
            std::mem::take(&mut fx.fates),
            std::mem::take(&mut fx.timers),
        );
        let apply = std::mem::take(&mut fx.apply);
        fx.log.clear();
        fx.telemetry.clear();
        fx.frontier = None;
        assert!(fx.log_reads.is_empty(), "everything stays in memory");
        assert!(fx.snapshots.is_empty(), "nothing is trimmed");
        let logged = fx.last_log_seq();
        let has_logged = std::mem::replace(&mut node.logged, logged) != logged;
        if let Some(last) = apply.last() {
            node.applied = last.last();
            let applied = Input::Applied(node.applied.lsn);
            Protocol::step(&mut node.machine, now, applied, &mut node.fx);
        }
        for timer in timers {
            let (key, node) = (timer.key, id);
            match timer.at {
                Some(at) => {
                    self.node(id).timers.insert(key, at);
                    let event = Event::Timer { node, key, at };
                    agenda.at(at.0, Happening::Replica(event));
                }
                None => drop(self.node(id).timers.remove(&key)),
            }
        }
        for (to, message) in sends {
            self.send(id, to.0, message, agenda);
        }
        for fate in &fates {
            self.on_fate(fate);
        }
        for verdict in &reads {
            self.on_verdict(id, verdict);
        }
        if has_logged {
            self.step(id, Input::Durable(logged), agenda);
        }
    }

    fn send(&mut self, from: u64, to: u64, message: Message, agenda: &mut Agenda) {
        let (follower, way) = if from == 1 { (to, 0) } else { (from, 1) };
        let mean = self.node(follower).delay;
        let travels = 20 * MICRO + self.rng.exponential(mean);
        let now = self.now;
        let last = &mut self.node(follower).last[way];
        let at = (now + travels).max(*last);
        *last = at;
        let event = Event::Message { from, to, message };
        agenda.at(at, Happening::Replica(event));
    }

    fn on_fate(&mut self, fate: &Fate) {
        match fate {
            Fate::Placed { proposal, first } => {
                if let Some(write) = self.writing.get_mut(&proposal.0) {
                    write.1 = Some(*first);
                }
            }
            Fate::Acked { through, .. } => {
                let later = self.writing.split_off(&(through.0 + 1));
                for (session, at) in std::mem::replace(&mut self.writing, later).into_values() {
                    let at = at.expect("what is acknowledged was placed");
                    self.done.push(Done::Written { session, at });
                }
            }
            Fate::Refused { .. } | Fate::Unknown { .. } => unreachable!("nothing fails: {fate:?}"),
        }
    }

    fn on_verdict(&mut self, id: u64, verdict: &ReadVerdict) {
        let ReadVerdict::ServeAt { ticket, at } = verdict else {
            unreachable!("nothing is refused: {verdict:?}");
        };
        let leader = self.node(1).applied.lsn;
        let position = self.node(id).applied;
        assert!(position.lsn >= *at, "the engine is never behind");
        let session = self.reading.remove(&(id, ticket.0));
        self.done.push(Done::Read {
            session: session.expect("a read that was asked"),
            at: position,
            lag_records: leader.since(position.lsn),
        });
    }

    /// What the leader has made visible.
    pub(super) fn visible(&self) -> Lsn {
        self.nodes
            .first()
            .map_or(Lsn::ZERO, |leader| leader.applied.lsn)
    }
}

fn moment(at: Nanos) -> Now {
    Now {
        mono: Mono(at),
        wall: Wall(at / MILLI),
    }
}
