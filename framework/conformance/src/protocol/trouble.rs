//! Random trouble, from a seed: crashes that lose what was not synced, cuts, messages lost, doubled and
//! late, slow disks, snapshots. Small and fast; the simulator of the framework does the same with
//! everything around the protocol as well.

use repertoire_core::{Acks, Machine, NodeId, PeerEvent, Position, ReadLevel};

use super::promises::Promises;
use super::rig::Rig;
use crate::Random;

/// Long enough that a seed sees several troubles of several kinds.
const STEPS: usize = 1_500;

/// Rounds of heartbeats after which a cluster without trouble must agree.
const ROUNDS: usize = 200;

/// How likely each kind of trouble is, per thousand steps; drawn per seed, zero included.
#[derive(Clone, Debug)]
struct Odds {
    crash: usize,
    cut: usize,
    drop: usize,
    duplicate: usize,
    reorder: usize,
    snapshot: usize,
    batch: usize,
    /// The longest time that passes at once, in milliseconds: leaders are given up in some runs only.
    pace: usize,
}

impl Odds {
    fn draw(random: &mut Random) -> Self {
        let mut up_to = |most: usize| {
            let is_none = random.below(3) == 0;
            let drawn = random.below(most);
            if is_none { 0 } else { drawn }
        };
        let paces = [30, 30, 100, 400];
        Self {
            crash: up_to(20),
            cut: up_to(20),
            drop: up_to(60),
            duplicate: up_to(60),
            reorder: up_to(300),
            snapshot: up_to(30),
            batch: up_to(100),
            pace: paces.get(random.below(paces.len())).copied().unwrap_or(30),
        }
    }
}

/// A run under trouble.
pub(super) struct Trouble<M: Machine> {
    pub(super) rig: Rig<M>,
    pub(super) promises: Promises,
    random: Random,
    odds: Odds,
    nodes: Vec<NodeId>,
    /// Its disk syncs late.
    slow: Option<NodeId>,
    /// Whether replicas hear that the links are back when the trouble ends.
    are_links_announced: bool,
}

impl<M: Machine> Trouble<M> {
    pub(super) fn new(rig: Rig<M>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let nodes = rig.nodes();
        let odds = Odds::draw(&mut random);
        let slow = nodes.get(random.below(nodes.len() + 1)).copied();
        let promises = Promises::new(&rig.descriptor);
        let are_links_announced = seed.is_multiple_of(2);
        Self {
            rig,
            promises,
            random,
            odds,
            nodes,
            slow,
            are_links_announced,
        }
    }

    /// Trouble for a while, then none; returns when everything has come to an agreement.
    pub(super) fn run(&mut self) {
        for _ in 0..STEPS {
            self.step();
            self.promises.judge(&self.rig);
        }
        self.heal();
    }

    fn any_node(&mut self) -> NodeId {
        let index = self.random.below(self.nodes.len());
        self.nodes.get(index).copied().unwrap_or(NodeId(0))
    }

    /// Where most writes and reads go.
    fn busy_node(&mut self) -> NodeId {
        let any = self.any_node();
        let is_stray = self.random.chance(5);
        self.rig.writable().filter(|_| !is_stray).unwrap_or(any)
    }

    fn step(&mut self) {
        let mut luck = self.random.below(1000);
        let mut happens = |odds: usize| {
            let hit = luck < odds;
            luck = if hit { usize::MAX } else { luck - odds };
            hit
        };
        let Odds {
            crash,
            cut,
            snapshot,
            batch,
            ..
        } = self.odds;
        match () {
            () if happens(crash) => self.crash_or_boot(),
            () if happens(cut) => self.cut_or_join(),
            () if happens(snapshot) => self.snapshot(),
            () if happens(batch) => self.toggle_batch(),
            () if happens(30) => self.read(),
            () if happens(150) => {
                let span = 1 + self.random.below(self.odds.pace) as u64;
                self.rig.tick(span, false);
            }
            () if happens(150) => self.propose(),
            () if happens(250) => self.sync(),
            () => self.deliver(),
        }
    }

    fn crash_or_boot(&mut self) {
        let is_down = |node: &&NodeId| self.rig.replica(**node).machine.is_none();
        let down = self.nodes.iter().find(is_down).copied();
        // Short absences are the interesting ones: others still hold what was lost.
        if let Some(node) = down.filter(|_| self.random.below(3) > 0) {
            return self.boot(node);
        }
        let (any, busy) = (self.any_node(), self.busy_node());
        let node = if self.random.chance(50) { busy } else { any };
        if self.rig.replica(node).machine.is_none() {
            return self.boot(node);
        }
        let survive = self.random.below(6);
        self.rig.crash(node, survive);
        if self.random.chance(50) {
            // Back at once, while what it sent before is still on its way.
            self.boot(node);
        }
    }

    fn boot(&mut self, node: NodeId) {
        self.rig.boot(node);
        for other in self.nodes.clone() {
            self.rig.peer(other, node, PeerEvent::Up);
            self.rig.peer(node, other, PeerEvent::Up);
        }
    }

    fn cut_or_join(&mut self) {
        let (from, to) = (self.any_node(), self.any_node());
        if self.rig.cut.remove(&(from, to)) {
            self.rig.peer(from, to, PeerEvent::Up);
        } else if from != to {
            self.rig.cut.insert((from, to));
            if self.random.chance(50) {
                self.rig.peer(from, to, PeerEvent::Down);
            }
        }
    }

    fn snapshot(&mut self) {
        match self.random.below(4) {
            0 => self.rig.carry_snapshots(true),
            1 => self.rig.carry_snapshots(false),
            _ => {
                let node = self.any_node();
                self.rig.checkpoint(node);
            }
        }
    }

    fn toggle_batch(&mut self) {
        let node = self.any_node();
        let replica = self.rig.replica_mut(node);
        replica.is_batching = !replica.is_batching;
        if !replica.is_batching {
            self.rig.flush(node);
        }
    }

    fn propose(&mut self) {
        let node = self.busy_node();
        let is_strong = self.random.below(6) == 0;
        let acks = if is_strong {
            Acks::Sync
        } else {
            self.rig.descriptor.options.acks
        };
        let (count, len) = (1 + self.random.below(4), 1 + self.random.below(300));
        self.rig
            .propose(node, acks, u32::try_from(count).unwrap_or(1), len);
    }

    fn read(&mut self) {
        let (any, busy) = (self.any_node(), self.busy_node());
        let node = if self.random.chance(50) { busy } else { any };
        let some = self.random.below(self.rig.acked.len());
        let some = self.rig.acked.get(some).map(|acked| acked.position);
        let level = match some.filter(|_| self.random.chance(50)) {
            Some(position) => ReadLevel::Session(Position::Entry(position)),
            None => ReadLevel::Leader,
        };
        let ticket = self.promises.ask(&self.rig, &level);
        self.rig.read(node, ticket, &level);
    }

    fn sync(&mut self) {
        let node = self.any_node();
        if self.slow == Some(node) && self.random.below(6) > 0 {
            return;
        }
        let unsynced = self.rig.replica(node).disk.unsynced();
        let is_whole = self.random.below(3) > 0;
        self.rig.sync(node, if is_whole { unsynced } else { 1 });
    }

    fn deliver(&mut self) {
        let busy = self.rig.links.iter().filter(|(_, queue)| !queue.is_empty());
        let busy: Vec<_> = busy.map(|(link, _)| *link).collect();
        let Some(link) = busy.get(self.random.below(busy.len())).copied() else {
            return;
        };
        let [drop, duplicate, reorder] = [(); 3].map(|()| self.random.below(1000));
        let Some(queue) = self.rig.links.get_mut(&link) else {
            return;
        };
        if reorder < self.odds.reorder {
            // One message overtakes; a late one is overtaken by everything.
            let index = self.random.below(queue.len());
            match (self.random.chance(50), queue.remove(index)) {
                (true, Some(message)) => queue.push_front(message),
                (false, Some(message)) => queue.push_back(message),
                (_, None) => {}
            }
        }
        if duplicate < self.odds.duplicate {
            queue.extend(queue.front().cloned());
        }
        if drop < self.odds.drop {
            queue.pop_front();
        } else {
            self.rig.deliver(link.0, link.1);
        }
    }

    /// The trouble ends: everything must come to an agreement, with nothing acknowledged missing, and
    /// writes must go on.
    fn heal(&mut self) {
        self.rig.cut.clear();
        for node in self.nodes.clone() {
            self.rig.replica_mut(node).is_batching = false;
            self.rig.flush(node);
            if self.rig.replica(node).machine.is_none() {
                self.boot(node);
            }
        }
        if self.are_links_announced {
            self.rig.announce_links();
        }
        self.agree();
        let acked = self.rig.acked.len();
        if let Some(node) = self.rig.writable() {
            let acks = self.rig.descriptor.options.acks;
            self.rig.propose(node, acks, 1, 8);
        }
        self.agree();
        assert!(
            self.rig.acked.len() > acked,
            "no write is acknowledged after the trouble"
        );
        self.promises.nothing_is_missing(&self.rig);
    }

    fn agree(&mut self) {
        for _ in 0..ROUNDS {
            self.rig.drive();
            self.rig.carry_snapshots(true);
            self.rig.drive();
            self.promises.judge(&self.rig);
            if self.rig.writable().is_some() && self.promises.is_agreed(&self.rig) {
                return;
            }
            self.rig.tick(60, true);
        }
        let vitals: Vec<_> = self
            .rig
            .replicas
            .values()
            .map(|r| (r.id, r.vitals()))
            .collect();
        assert!(
            self.promises.is_agreed(&self.rig),
            "replicas do not come to agree: {vitals:?}"
        );
        assert!(
            self.rig.writable().is_some(),
            "nobody takes writes after the trouble: {vitals:?}"
        );
    }
}
