//! The paths between nodes: latency, order, loss, cuts.

use repertoire_core::Class;

use crate::clock::{MILLI, Nanos};
use crate::fault::kind::Shape;
use crate::fault::mix::{FaultMix, FaultTally};
use crate::plan::NetPlan;
use crate::rng::Rng;

/// One direction between two nodes.
#[derive(Clone, Debug, Default)]
struct Path {
    /// Reasons for which it carries nothing.
    cuts: u32,
    clogged_until: Nanos,
    /// The outbox refused something since the path was clogged.
    has_refused: bool,
    /// When the last message of each class arrives: the next one does not overtake it.
    last: [Nanos; Class::ALL.len()],
    /// Messages on the path.
    carried: u32,
}

/// When copies of a message arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) first: Option<Nanos>,
    pub(crate) second: Option<Nanos>,
    /// The outbox is full, and the message was refused: there is room from then on. Said once.
    pub(crate) writable_at: Option<Nanos>,
}

/// All paths.
#[derive(Debug)]
pub(crate) struct Network {
    paths: Vec<Path>,
    nodes: usize,
    plan: NetPlan,
    /// Rates in force: none once the network has healed.
    pub(crate) faults: FaultMix,
    rng: Rng,
}

impl Network {
    pub(crate) fn new(nodes: usize, plan: NetPlan, faults: FaultMix, rng: Rng) -> Self {
        Self {
            paths: vec![Path::default(); nodes * nodes],
            nodes,
            plan,
            faults,
            rng,
        }
    }

    fn path(&mut self, from: usize, to: usize) -> &mut Path {
        &mut self.paths[from * self.nodes + to]
    }

    /// Decides what becomes of a message sent now.
    pub(crate) fn send(
        &mut self,
        now: Nanos,
        from: usize,
        to: usize,
        class: Class,
        tally: &mut FaultTally,
    ) -> Delivery {
        let index = from * self.nodes + to;
        if self.paths[index].cuts > 0 {
            return Delivery::default();
        }
        let path = &mut self.paths[index];
        if path.clogged_until > now && path.carried >= self.plan.outbox {
            let is_first = !std::mem::replace(&mut path.has_refused, true);
            return Delivery {
                writable_at: is_first.then_some(path.clogged_until),
                ..Delivery::default()
            };
        }
        if self.happens(Shape::LostBetweenNodes, tally) {
            return Delivery::default();
        }
        let mut latency = self.plan.latency_min + self.rng.exponential(self.plan.latency_mean);
        let overtaken = self.happens(Shape::Overtaken, tally);
        let slow = self.happens(Shape::OneStream, tally);
        if slow || (overtaken && self.rng.one_in(8)) {
            latency = latency.saturating_mul(100).min(800 * MILLI);
        }
        let path = &mut self.paths[index];
        let mut at = (now + latency).max(path.clogged_until);
        if !overtaken {
            let last = &mut path.last[class as usize];
            at = at.max(*last + 1);
            *last = at;
        }
        path.carried += 1;
        let mut second = None;
        if self.happens(Shape::HeardSoon, tally) {
            second = Some(at + self.rng.exponential(self.plan.latency_mean * 4));
            self.paths[index].carried += 1;
        }
        Delivery {
            first: Some(at),
            second,
            writable_at: None,
        }
    }

    /// A message left its path. Returns whether it gets through: a cut takes what is on the path.
    pub(crate) fn arrive(&mut self, from: usize, to: usize) -> bool {
        let path = self.path(from, to);
        path.carried = path.carried.saturating_sub(1);
        path.cuts == 0
    }

    /// A latency for what does not travel between nodes.
    pub(crate) fn client_latency(&mut self) -> Nanos {
        self.plan.latency_min / 2 + self.rng.exponential(self.plan.latency_mean / 2)
    }

    #[inline]
    pub(crate) fn happens(&mut self, shape: Shape, tally: &mut FaultTally) -> bool {
        let happens = self.rng.chance(self.faults.per_message(shape));
        if happens {
            tally.count(shape);
        }
        happens
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.path(from, to).cuts += 1;
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        let path = self.path(from, to);
        path.cuts = path.cuts.saturating_sub(1);
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.paths[from * self.nodes + to].cuts > 0
    }

    /// Whether either direction between two nodes is cut.
    pub(crate) fn is_cut_between(&self, a: usize, b: usize) -> bool {
        self.is_cut(a, b) || self.is_cut(b, a)
    }

    pub(crate) fn clog(&mut self, from: usize, to: usize, until: Nanos) {
        let path = self.path(from, to);
        path.clogged_until = path.clogged_until.max(until);
        path.has_refused = false;
    }

    /// Ends every network fault.
    pub(crate) fn heal(&mut self) {
        self.faults = FaultMix::none();
        for path in &mut self.paths {
            path.cuts = 0;
            path.clogged_until = 0;
        }
    }
}
