//! What each fault that strikes by time does to the world.

use repertoire_core::{Admission, PeerEvent};
use repertoire_segment_log::DiskErrorKind;
use repertoire_storage_faulty::Fault as DiskFault;

use super::kind::{Fault, Shape};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos, SECOND};
use crate::cluster::{Event, Undo, World};
use crate::rng::Rng;
use crate::sometimes::Situation;

/// Jumps of wall clocks, in milliseconds: mostly minutes, sometimes beyond a session's lifetime.
const JUMP_MS: u64 = 20 * 60 * 1000;
const FAR_JUMP_MS: u64 = 3 * 3600 * 1000;

/// Bytes of a burst, about: a torn write keeps anything up to there.
const TORN_AT_MOST: usize = 6000;

impl<C: Cast> World<'_, C> {
    /// Plans the next strike of a kind. Kinds strike independently of each other.
    pub(crate) fn plan_strike(&mut self, kind: Fault) {
        let rate = u64::from(self.net.faults.rate(kind));
        if let Some(mean) = (1000 * SECOND).checked_div(rate)
            && strikes_by_time(kind)
        {
            let span = self.chance(kind).exponential(mean);
            self.agenda.after(span, Event::Strike(kind));
        }
    }

    /// What a kind draws from: leaving one kind out changes nothing for the others.
    pub(super) fn chance(&mut self, kind: Fault) -> &mut Rng {
        &mut self.chances[kind as usize]
    }

    /// A fault strikes.
    pub(crate) fn strike(&mut self, kind: Fault) {
        if !self.net.faults.has(kind) {
            return;
        }
        self.trace.note(20, kind as u64, self.time());
        let victim = self.victim(kind);
        let time = self.time();
        // Short ones matter to leases, long ones to everything that waits.
        let longest = *self.chance(kind).pick(&[100, 900]);
        let until = time + self.chance(kind).between(10, longest) * MILLI;
        match kind {
            Fault::Clog => {
                let nodes = self.nodes.len();
                let other = self.chance(kind).index(nodes);
                self.net.clog(victim, other, until);
                self.tally.count(Shape::WholePath);
            }
            Fault::Partition => self.part(victim, until),
            Fault::Crash => self.kill(victim),
            Fault::PowerLoss => self.cut_power(victim),
            Fault::DiskFailure => self.break_disk(victim),
            Fault::BitRot => self.rot(victim),
            Fault::SlowDisk => self.slow_disk(victim, until),
            Fault::DiskFull => self.fill_disk(victim, until),
            Fault::SlowEngine => {
                // One that is called in place is behind by its share.
                if self.plan.engine.is_some() {
                    self.nodes[victim].slow_engine_until = until;
                    self.tally.count(Shape::Behind);
                }
            }
            Fault::Pause => {
                self.nodes[victim].paused_until = until;
                self.announce_silence(victim);
                self.overflow(victim, until);
                self.tally.count(Shape::StoodStill);
            }
            Fault::ClockJump => self.jump_clock(victim),
            Fault::Drop | Fault::Duplicate | Fault::Reorder => {}
        }
        self.plan_strike(kind);
    }

    /// A node to be struck: every other time one that takes writes, where most is at stake.
    fn victim(&mut self, kind: Fault) -> usize {
        let (nodes, groups) = (self.nodes.len(), self.plan.groups.len());
        let chance = self.chance(kind);
        let (any, is_any, g) = (chance.index(nodes), chance.one_in(2), chance.index(groups));
        if is_any {
            return any;
        }
        let leads = |node: &crate::cluster::Node<C>| {
            let host = node.replicas[g].host.as_ref();
            host.is_some_and(|host| host.admission() == Admission::Open)
        };
        self.nodes.iter().position(leads).unwrap_or(any)
    }

    fn kill(&mut self, victim: usize) {
        if self.chance(Fault::Crash).one_in(5) {
            self.tally.count(Shape::AllProcesses);
            (0..self.nodes.len()).for_each(|n| self.crash_for_a_while(n, false));
        } else {
            self.tally.count(Shape::OneProcess);
            self.crash_for_a_while(victim, false);
        }
    }

    /// Where disks may hang, they sometimes do so first, while messages still leave: then peers hold
    /// what the node itself loses.
    fn cut_power(&mut self, n: usize) {
        let hangs = self.net.faults.has(Fault::SlowDisk);
        let chance = self.chance(Fault::PowerLoss);
        let (draw, kept, span) = (
            chance.below(10),
            chance.index(TORN_AT_MOST),
            chance.between(2, 80) * MILLI,
        );
        match draw {
            0..2 => {
                self.tally.count(Shape::AllMachines);
                if self.book.unfinished() > 0 {
                    self.reached.note(Situation::PowerLostUnderWrites);
                }
                (0..self.nodes.len()).for_each(|n| self.crash_for_a_while(n, true));
            }
            2..5 => self.order_disk_fault(n, DiskFault::TearWrite { nth: 1, keep: kept }),
            5..8 if hangs => {
                let at = self.time() + span;
                self.nodes[n].stalled_until = at + MILLI;
                let slot = self.plan_undo(Undo::Cut(n));
                self.agenda.at(at, Event::Undo(slot));
            }
            _ => {
                self.tally.count(Shape::OneMachine);
                self.crash_for_a_while(n, true);
            }
        }
    }

    /// The next sync, or the next write, fails. It is counted when it does.
    fn break_disk(&mut self, n: usize) {
        let kind = DiskErrorKind::Failed;
        let fault = if self.chance(Fault::DiskFailure).one_in(2) {
            DiskFault::FailSync { nth: 1, kind }
        } else {
            DiskFault::FailWrite { nth: 1, kind }
        };
        self.order_disk_fault(n, fault);
    }

    fn order_disk_fault(&mut self, n: usize, fault: DiskFault) {
        if let Some(store) = &mut self.nodes[n].log.store {
            store.disk_mut().inject(fault);
        }
    }

    fn slow_disk(&mut self, n: usize, until: Nanos) {
        if self.chance(Fault::SlowDisk).one_in(2) {
            self.tally.count(Shape::Stalled);
            self.nodes[n].stalled_until = until;
        } else {
            self.tally.count(Shape::Slow);
            self.nodes[n].slow_disk_until = until;
        }
    }

    fn fill_disk(&mut self, n: usize, until: Nanos) {
        self.tally.count(Shape::NoSpace);
        if let Some(store) = &mut self.nodes[n].log.store {
            let disk = store.disk_mut().inner_mut();
            let used = disk.used();
            disk.set_capacity(Some(used));
            let slot = self.plan_undo(Undo::Room(n));
            self.agenda.at(until, Event::Undo(slot));
        }
    }

    fn part(&mut self, victim: usize, until: Nanos) {
        let nodes = self.nodes.len();
        let chance = self.chance(Fault::Partition);
        let shape = match chance.below(10) {
            0..2 => Shape::Halves,
            2..4 => Shape::OneNode,
            4..6 => Shape::OneWay,
            _ => Shape::Flapping,
        };
        let other = chance.index(nodes);
        let times = chance.between(2, 12) as u32;
        let (is_deaf, halves) = (chance.one_in(2), chance.next_u64());
        self.tally.count(shape);
        if shape == Shape::Flapping {
            self.flap((victim, other), times, false);
            return;
        }
        let is_inside = |n: usize| match shape {
            Shape::Halves => halves >> n & 1 == 1,
            _ => n == victim,
        };
        let (is_deaf, is_mute) = match shape {
            Shape::OneWay => (is_deaf, !is_deaf),
            _ => (true, true),
        };
        let mut cuts = Vec::new();
        for from in 0..nodes {
            for to in 0..nodes {
                let leaves = is_mute && is_inside(from) && !is_inside(to);
                let enters = is_deaf && is_inside(to) && !is_inside(from);
                if leaves || enters {
                    cuts.push((from, to));
                }
            }
        }
        for (from, to) in &cuts {
            self.net.cut(*from, *to);
        }
        self.announce_cuts(&cuts, PeerEvent::Down);
        let slot = self.plan_undo(Undo::Mend(cuts));
        self.agenda.at(until, Event::Undo(slot));
    }

    pub(super) fn announce_cuts(&mut self, cuts: &[(usize, usize)], news: PeerEvent) {
        for (from, to) in cuts {
            let chance = self.chance(Fault::Partition);
            let (span, is_silent) = (chance.between(1, 60) * MILLI, chance.one_in(2));
            if news == PeerEvent::Down && is_silent {
                self.tell_link(*to, *from, PeerEvent::Silent, span);
            } else {
                self.announce_link(*from, *to, news, span);
            }
        }
    }

    /// Nothing comes from a node any more: those that it talks to notice sooner or later.
    fn announce_silence(&mut self, n: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != n) {
            let span = self.chance(Fault::Pause).between(1, 60) * MILLI;
            self.tell_link(other, n, PeerEvent::Silent, span);
        }
    }

    /// What nodes send to one that stands still may find no room there. Clients of it are patient: when
    /// it goes on, their requests are the first that it hears of.
    fn overflow(&mut self, n: usize, until: Nanos) {
        let chance = self.chance(Fault::Pause);
        let (happens, span) = (chance.one_in(2), chance.between(0, 40) * MILLI);
        if !happens {
            return;
        }
        let others = (0..self.nodes.len()).filter(|other| *other != n);
        let cuts: Vec<_> = others.map(|other| (other, n)).collect();
        for (from, to) in &cuts {
            self.net.cut(*from, *to);
        }
        let slot = self.plan_undo(Undo::Mend(cuts));
        self.agenda.at(until + span, Event::Undo(slot));
    }

    pub(super) fn flap(&mut self, pair: (usize, usize), times: u32, is_cut: bool) {
        let (a, b) = pair;
        if a == b || times == 0 {
            return;
        }
        let news = if is_cut {
            self.net.mend(a, b);
            self.net.mend(b, a);
            PeerEvent::Up
        } else {
            self.net.cut(a, b);
            self.net.cut(b, a);
            PeerEvent::Down
        };
        self.announce_link(a, b, news, MILLI);
        let times = times - u32::from(is_cut);
        let slot = self.plan_undo(Undo::Flap {
            pair,
            times,
            is_cut: !is_cut,
        });
        let span = self.chance(Fault::Partition).between(5, 120) * MILLI;
        self.agenda.after(span, Event::Undo(slot));
    }

    fn jump_clock(&mut self, n: usize) {
        self.tally.count(Shape::Jumped);
        let chance = self.chance(Fault::ClockJump);
        let is_far = chance.one_in(3);
        let most = if is_far { FAR_JUMP_MS } else { JUMP_MS };
        let by = chance.below(most).cast_signed();
        let by = if chance.one_in(2) { by } else { -by };
        self.sessions_may_expire |= is_far || by > 0;
        self.newest_wall = self.newest_wall.max(self.now(n).wall);
        self.nodes[n].clock.jump(by);
    }
}

/// Whether a kind strikes by time, and not at messages alone.
const fn strikes_by_time(kind: Fault) -> bool {
    !matches!(kind, Fault::Drop | Fault::Duplicate | Fault::Reorder)
}
