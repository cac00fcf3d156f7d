//! What each fault that strikes by time does to the world, and how it ends.

use repertoire_core::Admission;

use crate::cast::Cast;
use crate::clock::{MILLI, Nanos, SECOND};
use crate::cluster::{Event, TIMED, Undo, World};
use crate::fault::mix::Fault;
use crate::sometimes::Situation;

/// Jumps of wall clocks, in milliseconds: mostly minutes, sometimes beyond a session's lifetime.
const JUMP_MS: u64 = 20 * 60 * 1000;
const FAR_JUMP_MS: u64 = 3 * 3600 * 1000;

impl<C: Cast> World<'_, C> {
    /// Plans the next strike.
    pub(crate) fn plan_strike(&mut self) {
        let rates = TIMED
            .iter()
            .map(|kind| u64::from(self.net.faults.rate(*kind)));
        let per_thousand_seconds: u64 = rates.sum();
        if let Some(mean) = (1000 * SECOND).checked_div(per_thousand_seconds) {
            let span = self.rng.exponential(mean);
            self.agenda.after(span, Event::Strike);
        }
    }

    /// A fault strikes; which one, the rates decide.
    pub(crate) fn strike(&mut self) {
        let total: u64 = TIMED
            .iter()
            .map(|kind| u64::from(self.net.faults.rate(*kind)))
            .sum();
        let mut draw = self.rng.below(total.max(1));
        let chosen = TIMED.iter().find(|kind| {
            let rate = u64::from(self.net.faults.rate(**kind));
            let is_it = draw < rate;
            draw = draw.saturating_sub(rate);
            is_it
        });
        if let Some(kind) = chosen {
            self.trace.note(20, *kind as u64, self.time());
            self.inject(*kind);
            self.plan_strike();
        }
    }

    fn inject(&mut self, kind: Fault) {
        let nodes = self.nodes.len();
        let victim = self.victim();
        let until = self.time() + self.rng.between(10, 900) * MILLI;
        self.tally.count(kind);
        match kind {
            Fault::Clog => {
                let other = self.rng.index(nodes);
                self.net.clog(victim, other, until);
            }
            Fault::Partition | Fault::OneWay | Fault::Isolate => self.part(kind, victim, until),
            Fault::Flap => {
                let other = self.rng.index(nodes);
                let times = self.rng.between(2, 12) as u32;
                let pair = (victim, other);
                self.flap(pair, times, false);
            }
            Fault::Crash => self.crash_for_a_while(victim, false),
            Fault::PowerLoss => self.cut_power(victim),
            Fault::CrashAll => (0..nodes).for_each(|n| self.crash_for_a_while(n, false)),
            Fault::PowerLossAll => {
                if self.book.unfinished() > 0 {
                    self.reached.note(Situation::PowerLostUnderWrites);
                }
                (0..nodes).for_each(|n| self.crash_for_a_while(n, true));
            }
            Fault::DiskStall => self.nodes[victim].stalled_until = until,
            Fault::SlowDisk => self.nodes[victim].slow_disk_until = until,
            Fault::DiskFull => self.fill_disk(victim, until),
            Fault::SlowEngine => self.nodes[victim].slow_engine_until = until,
            Fault::Pause => self.nodes[victim].paused_until = until,
            Fault::ClockJump => self.jump_clock(victim),
            Fault::Drop
            | Fault::Duplicate
            | Fault::Reorder
            | Fault::Delay
            | Fault::Replay
            | Fault::ReceiverCrash
            | Fault::ClientLoss => {}
        }
    }

    /// Every other time the disk hangs first, while messages still leave: then peers hold what the
    /// node itself loses.
    fn cut_power(&mut self, n: usize) {
        if self.rng.one_in(2) {
            self.crash_for_a_while(n, true);
            return;
        }
        let at = self.time() + self.rng.between(2, 80) * MILLI;
        self.nodes[n].stalled_until = at + MILLI;
        let slot = self.plan_undo(Undo::Cut(n));
        self.agenda.at(at, Event::Undo(slot));
    }

    /// A node to be struck: every other time one that takes writes, where most is at stake.
    fn victim(&mut self) -> usize {
        let any = self.rng.index(self.nodes.len());
        if self.rng.one_in(2) {
            return any;
        }
        let g = self.rng.index(self.plan.groups.len());
        let leads = |node: &crate::cluster::Node<C>| {
            let host = node.replicas[g].host.as_ref();
            host.is_some_and(|host| host.admission() == Admission::Open)
        };
        self.nodes.iter().position(leads).unwrap_or(any)
    }

    fn part(&mut self, kind: Fault, victim: usize, until: Nanos) {
        let nodes = self.nodes.len();
        let side: Vec<bool> = (0..nodes)
            .map(|n| {
                if kind == Fault::Partition {
                    self.rng.one_in(2)
                } else {
                    n == victim
                }
            })
            .collect();
        let mut cuts = Vec::new();
        for from in 0..nodes {
            for to in 0..nodes {
                let crosses = side[from] && !side[to];
                if crosses || (side[to] && !side[from] && kind != Fault::OneWay) {
                    cuts.push((from, to));
                }
            }
        }
        for (from, to) in &cuts {
            self.net.cut(*from, *to);
        }
        self.announce_cuts(&cuts, false);
        let slot = self.plan_undo(Undo::Mend(cuts));
        self.agenda.at(until, Event::Undo(slot));
    }

    fn announce_cuts(&mut self, cuts: &[(usize, usize)], up: bool) {
        for (from, to) in cuts {
            let span = self.rng.between(1, 60) * MILLI;
            self.announce_link(*from, *to, up, span);
        }
    }

    fn flap(&mut self, pair: (usize, usize), times: u32, is_cut: bool) {
        let (a, b) = pair;
        if a == b || times == 0 {
            return;
        }
        if is_cut {
            self.net.mend(a, b);
            self.net.mend(b, a);
        } else {
            self.net.cut(a, b);
            self.net.cut(b, a);
        }
        self.announce_link(a, b, is_cut, MILLI);
        let times = times - u32::from(is_cut);
        let slot = self.plan_undo(Undo::Flap {
            pair,
            times,
            is_cut: !is_cut,
        });
        let span = self.rng.between(5, 120) * MILLI;
        self.agenda.after(span, Event::Undo(slot));
    }

    fn fill_disk(&mut self, n: usize, until: Nanos) {
        if let Some(store) = &mut self.nodes[n].log.store {
            let used = store.disk().used();
            store.disk_mut().set_capacity(Some(used));
            let slot = self.plan_undo(Undo::Room(n));
            self.agenda.at(until, Event::Undo(slot));
        }
    }

    fn jump_clock(&mut self, n: usize) {
        let is_far = self.rng.one_in(6);
        let most = if is_far { FAR_JUMP_MS } else { JUMP_MS };
        let by = self.rng.below(most).cast_signed();
        let by = if self.rng.one_in(2) { by } else { -by };
        self.sessions_may_expire |= is_far || by > 0;
        self.newest_wall = self.newest_wall.max(self.now(n).wall);
        self.nodes[n].clock.jump(by);
    }

    /// A fault ends.
    pub(crate) fn on_undo(&mut self, slot: u32) {
        match self.take_undo(slot) {
            None => {}
            Some(Undo::Mend(cuts)) => {
                for (from, to) in &cuts {
                    self.net.mend(*from, *to);
                }
                let mended = |cut: &&(usize, usize)| {
                    !self.net.is_cut(cut.0, cut.1) && !self.net.is_cut(cut.1, cut.0)
                };
                let mended: Vec<(usize, usize)> = cuts.iter().filter(mended).copied().collect();
                self.announce_cuts(&mended, true);
            }
            Some(Undo::Flap {
                pair,
                times,
                is_cut,
            }) => self.flap(pair, times, is_cut),
            Some(Undo::Room(n)) => self.make_room(n),
            Some(Undo::Cut(n)) => self.crash_for_a_while(n, true),
        }
    }

    fn make_room(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let running = node.log.store.as_mut().map(|store| store.disk_mut());
        if let Some(disk) = running.or(node.disk.as_mut()) {
            disk.set_capacity(None);
        }
    }

    /// Ends all faults. One replica may stay down for ever.
    pub(crate) fn heal(&mut self, gone: Option<usize>) {
        self.net.heal();
        self.forget_undos();
        if let Some(n) = gone {
            self.crash(n, false);
            self.nodes[n].is_gone = true;
        }
        for n in 0..self.nodes.len() {
            self.make_room(n);
            let node = &mut self.nodes[n];
            node.paused_until = 0;
            node.stalled_until = 0;
            node.slow_disk_until = 0;
            node.slow_engine_until = 0;
            self.agenda.after(MILLI, Event::Start { node: n as u8 });
            for other in 0..n {
                self.announce_link(n, other, true, 2 * MILLI);
            }
        }
    }
}
