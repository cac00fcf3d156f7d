//! A cluster under random trouble, from a seed. Small and fast; the simulator of the framework does
//! the same with everything around the protocol as well.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{
    Acks, Descriptor, Durability, EntryId, ErrorKind, PeerEvent, Position, ReadLevel, ReadVerdict,
    ReplicaRole,
};

use super::{Cluster, descriptor};

/// A sequence of numbers that looks random (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(len.max(1) as u64)).unwrap_or(0)
    }
}

/// How likely each kind of trouble is, per thousand steps; drawn per seed, zero included.
struct Weather {
    crash: u64,
    cut: u64,
    drop: u64,
    duplicate: u64,
    reorder: u64,
    checkpoint: u64,
    batch: u64,
    /// A node whose disk is slow; zero for none.
    slow: u64,
}

pub(crate) struct Chaos {
    pub(crate) cluster: Cluster,
    dice: Dice,
    weather: Weather,
    nodes: u64,
    /// Whether replicas hear that the links are back when the trouble ends.
    are_links_announced: bool,
    durability: Durability,
    /// What every replica applied at a position, while no replica may lose anything.
    truth: BTreeMap<u64, (EntryId, Bytes)>,
    checked: BTreeMap<u64, usize>,
    acked_seen: usize,
    reads_seen: usize,
    /// The highest acknowledged position when each read was asked.
    asked: BTreeMap<u64, u64>,
}

fn draw_descriptor(dice: &mut Dice, durability: Durability) -> Descriptor {
    let nodes = [1, 2, 3, 3, 3, 4, 5][dice.index(7)];
    let mut descriptor = descriptor(nodes);
    descriptor.options.durability = durability;
    if nodes == 5 {
        let learner = descriptor.placement.shards.values_mut().flatten().last();
        learner.expect("five replicas").role = ReplicaRole::Learner;
    }
    let window = [1024, 4096, 65536][dice.index(3)];
    let cache = [0, 500, 100_000][dice.index(3)];
    descriptor.plugin_options = format!(
        r#"{{"single-leader": {{"window_bytes": {window}, "append_bytes_max": 1024, "cache_bytes": {cache}}}}}"#
    );
    descriptor
}

impl Chaos {
    pub(crate) fn new(seed: u64, durability: Durability) -> Self {
        let mut dice = Dice::new(seed);
        let descriptor = draw_descriptor(&mut dice, durability);
        let nodes = descriptor.replicas(repertoire_core::ShardId(0)).len() as u64;
        let mut chance = |most: u64| {
            if dice.roll(3) == 0 {
                0
            } else {
                dice.roll(most)
            }
        };
        let weather = Weather {
            crash: chance(20),
            cut: chance(20),
            drop: chance(60),
            duplicate: chance(60),
            reorder: chance(300),
            checkpoint: chance(30),
            batch: chance(100),
            slow: if dice.roll(2) == 0 {
                1
            } else {
                dice.roll(nodes + 1)
            },
        };
        Self {
            cluster: Cluster::new(descriptor),
            dice,
            weather,
            nodes,
            are_links_announced: seed.is_multiple_of(2),
            durability,
            truth: BTreeMap::new(),
            checked: BTreeMap::new(),
            acked_seen: 0,
            reads_seen: 0,
            asked: BTreeMap::new(),
        }
    }

    fn any_node(&mut self) -> u64 {
        1 + self.dice.roll(self.nodes)
    }

    /// One random step.
    pub(crate) fn step(&mut self) {
        let mut luck = self.dice.roll(1000);
        let mut happens = |chance: u64| {
            let hit = luck < chance;
            luck = luck.saturating_sub(chance);
            hit || (chance > 0 && luck == 0)
        };
        let (crash, cut) = (happens(self.weather.crash), happens(self.weather.cut));
        let checkpoint = happens(self.weather.checkpoint);
        let batch = happens(self.weather.batch);
        let (read, tick) = (happens(30), happens(150));
        let (propose, sync) = (happens(150), happens(250));
        match () {
            () if crash => self.crash_or_boot(),
            () if cut => self.cut_or_heal(),
            () if checkpoint => self.snapshot_things(),
            () if batch => self.toggle_batch(),
            () if read => self.read(),
            () if tick => {
                let span = 1 + self.dice.roll(30);
                self.cluster.tick(span, false);
            }
            () if propose => self.propose(),
            () if sync => self.sync(),
            () => self.deliver(),
        }
        self.check();
        self.cluster
            .trace
            .drain(..self.cluster.trace.len().saturating_sub(400));
    }

    fn crash_or_boot(&mut self) {
        // The leader's crashes are the ones that lose what others hold.
        let mut id = if self.dice.roll(2) == 0 {
            1
        } else {
            self.any_node()
        };
        let mut down = self
            .cluster
            .nodes
            .iter()
            .filter(|(_, node)| node.machine.is_none());
        if let Some((down, _)) = down.next()
            && self.dice.roll(3) > 0
        {
            // Short absences are the interesting ones: others still hold what was lost.
            id = *down;
        }
        if self.cluster.node(id).machine.is_some() {
            let survives = self.dice.index(6);
            self.cluster.crash(id, survives);
            self.cluster.note(
                id,
                &format!("CRASHES, {survives} unsynced operations survive"),
            );
            for other in (1..=self.nodes).filter(|other| *other != id) {
                self.cluster.peer(other, id, PeerEvent::Down);
            }
            if self.dice.roll(2) == 0 {
                // Back at once, while what it sent before is still on its way.
                self.boot(id);
                self.cluster.sync(id);
            }
        } else {
            self.boot(id);
        }
    }

    fn boot(&mut self, id: u64) {
        self.checked.remove(&id);
        self.cluster.note(id, "BOOTS");
        self.cluster.boot(id);
        for other in (1..=self.nodes).filter(|other| *other != id) {
            self.cluster.peer(other, id, PeerEvent::Up);
        }
    }

    fn cut_or_heal(&mut self) {
        let (from, to) = (self.any_node(), self.any_node());
        if self.cluster.cut.remove(&(from, to)) {
            self.cluster.peer(from, to, PeerEvent::Up);
        } else {
            self.cluster.cut.insert((from, to));
            if self.dice.roll(2) == 0 {
                self.cluster.peer(from, to, PeerEvent::Down);
            }
        }
    }

    fn snapshot_things(&mut self) {
        match self.dice.roll(4) {
            0 => self.cluster.transfer(true),
            1 => self.cluster.transfer(false),
            _ => {
                let id = self.any_node();
                self.cluster.checkpoint(id);
            }
        }
    }

    fn toggle_batch(&mut self) {
        let id = self.any_node();
        let node = self.cluster.node_mut(id);
        node.is_batching = !node.is_batching;
        if !node.is_batching {
            self.cluster.flush(id);
        }
    }

    fn propose(&mut self) {
        let modes = [Acks::Async, Acks::SemiSync(1), Acks::Majority, Acks::Sync];
        let acks = modes[self.dice.index(4)];
        let text = "x".repeat(1 + self.dice.index(300));
        let text = format!("{}{text}", self.cluster.proposed);
        let count = 1 + u32::try_from(self.dice.roll(4)).unwrap_or(0);
        let id = if self.dice.roll(20) == 0 {
            self.any_node()
        } else {
            1
        };
        self.cluster.propose(id, &text, count, acks);
    }

    fn read(&mut self) {
        let id = if self.dice.roll(2) == 0 {
            1
        } else {
            self.any_node()
        };
        let ticket = self.asked.len() as u64;
        let acked = self
            .cluster
            .acked
            .iter()
            .map(|acked| acked.position.lsn.0)
            .max();
        let index = self.dice.index(self.cluster.acked.len());
        let some = self.cluster.acked.get(index).map(|acked| acked.position);
        let level = match some.filter(|_| self.dice.roll(2) == 0) {
            Some(position) => ReadLevel::Session(Position::Entry(position)),
            None => ReadLevel::Leader,
        };
        let need = match &level {
            ReadLevel::Session(_) => some.map_or(0, |position| position.lsn.0),
            ReadLevel::Leader | ReadLevel::Local | ReadLevel::Bounded(_) => acked.unwrap_or(0),
        };
        self.asked.insert(ticket, need);
        self.cluster.read(id, ticket, &level);
    }

    fn sync(&mut self) {
        let id = self.any_node();
        if id == self.weather.slow && self.dice.roll(6) > 0 {
            return;
        }
        let node = self.cluster.node_mut(id);
        let count = match self.dice.roll(3) {
            0 => 1,
            _ => node.disk.unsynced(),
        };
        if node.machine.is_some()
            && let Some(seq) = node.disk.sync_first(count)
        {
            self.cluster.step(id, repertoire_core::Input::Durable(seq));
        }
    }

    fn deliver(&mut self) {
        let busy: Vec<(u64, u64)> = self
            .cluster
            .links
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|(link, _)| *link)
            .collect();
        let Some(link) = busy.get(self.dice.index(busy.len())).copied() else {
            return;
        };
        let (drop, duplicate) = (self.dice.roll(1000), self.dice.roll(1000));
        let reorder = self.dice.roll(1000) < self.weather.reorder;
        let queue = self.cluster.links.get_mut(&link).expect("a busy link");
        if reorder {
            // One message overtakes; a late one is overtaken by everything.
            let index = self.dice.index(queue.len());
            match (self.dice.roll(2), queue.remove(index)) {
                (0, Some(message)) => queue.push_front(message),
                (_, Some(message)) => queue.push_back(message),
                (_, None) => {}
            }
        }
        if duplicate < self.weather.duplicate {
            queue.push_back(queue[0].clone());
        }
        if drop < self.weather.drop {
            queue.pop_front();
            return;
        }
        self.cluster.deliver_one(link.0, link.1);
    }

    /// What must hold after every step.
    fn check(&mut self) {
        self.check_acks();
        self.check_reads();
        if self.durability == Durability::Disk {
            self.check_history();
        }
    }

    /// An acknowledgement is covered by as many durable copies as it claims, and as its mode wants.
    fn check_acks(&mut self) {
        for acked in &self.cluster.acked[self.acked_seen..] {
            let holds = |id: &u64| self.cluster.node(*id).disk.holds(acked.position);
            let copies = (1..=self.nodes).filter(holds).count();
            let claimed = usize::from(acked.copies);
            assert!(
                copies >= claimed || self.durability == Durability::Memory,
                "{} was acknowledged with {claimed} copies and has {copies}",
                acked.position
            );
            let voters = self
                .cluster
                .descriptor
                .voters(repertoire_core::ShardId(0))
                .count();
            assert!(
                claimed >= acked.acks.copies(voters),
                "too few copies for {}",
                acked.acks
            );
        }
        self.acked_seen = self.cluster.acked.len();
    }

    /// A read sees everything acknowledged before it was asked, or the position that it asked for,
    /// and nobody claims that an acknowledged position was discarded.
    fn check_reads(&mut self) {
        for (id, verdict) in &self.cluster.reads[self.reads_seen..] {
            if self.durability != Durability::Disk {
                continue;
            }
            match verdict {
                ReadVerdict::ServeAt { ticket, at } => {
                    let need = self.asked[&ticket.0];
                    assert!(
                        at.0 >= need,
                        "n{id} serves {ticket} at {}, needs {need}",
                        at.0
                    );
                }
                ReadVerdict::Refused { ticket, error } => {
                    let is_lost = matches!(error.kind(), ErrorKind::Discarded { .. });
                    assert!(!is_lost, "n{id} calls the position of {ticket} discarded");
                }
            }
        }
        self.reads_seen = self.cluster.reads.len();
    }

    /// Two replicas never apply different entries at one position, nor do two lives of one replica.
    fn check_history(&mut self) {
        for (id, node) in &self.cluster.nodes {
            let history = &node.engine.history;
            let from = self
                .checked
                .get(id)
                .copied()
                .unwrap_or(0)
                .min(history.len());
            for (position, body) in &history[from..] {
                let new = (*position, body.clone());
                let known = self
                    .truth
                    .entry(position.lsn.0)
                    .or_insert_with(|| new.clone());
                assert_eq!(*known, new, "n{id} applied something else at {position}");
            }
            self.checked.insert(*id, history.len());
        }
    }

    /// The trouble ends. Everything must come to an agreement, with nothing acknowledged missing.
    pub(crate) fn heal(&mut self) {
        self.cluster.cut.clear();
        for id in 1..=self.nodes {
            self.cluster.node_mut(id).is_batching = false;
            self.cluster.flush(id);
            if self.cluster.node(id).machine.is_none() {
                self.boot(id);
            }
        }
        for (at, peer) in (1..=self.nodes).flat_map(|a| (1..=self.nodes).map(move |b| (a, b))) {
            if at != peer && self.are_links_announced {
                self.cluster.peer(at, peer, PeerEvent::Up);
            }
        }
        for _ in 0..80 {
            self.cluster.drive_bounded();
            self.cluster.transfer(true);
            self.cluster.drive_bounded();
            self.check();
            if self.is_converged() {
                break;
            }
            self.cluster.tick(60, true);
        }
        self.cluster.propose(1, "after", 1, Acks::Sync);
        self.cluster.drive_bounded();
        self.cluster.tick(200, true);
        self.check();
        assert!(self.is_converged(), "the cluster does not converge");
        self.check_nothing_lost();
    }

    fn is_converged(&self) -> bool {
        let leader = &self.cluster.node(1).engine;
        let last = self.cluster.status(1).map(|status| status.last);
        let equal = |id: u64| self.cluster.node(id).engine.history == leader.history;
        last == Some(leader.position) && (1..=self.nodes).all(equal)
    }

    fn check_nothing_lost(&self) {
        if self.durability != Durability::Disk {
            return;
        }
        let history = &self.cluster.node(1).engine.history;
        let last = history.last().map(|(position, _)| *position);
        let after = self.cluster.acked.last().map(|acked| acked.position);
        assert_eq!(after, last, "writes go on after the trouble");
        for acked in &self.cluster.acked {
            let found = history.iter().any(|(last, _)| {
                last.lsn >= acked.position.lsn && last.epoch == acked.position.epoch
            });
            assert!(found, "{} was acknowledged and is lost", acked.position);
        }
    }
}
