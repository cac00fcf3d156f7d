//! How faults end: each in its time, and all of them at the end of the run's first phase.

use repertoire_core::PeerEvent;

use super::kind::Shape;
use crate::cast::Cast;
use crate::clock::MILLI;
use crate::cluster::{Event, Undo, World};

impl<C: Cast> World<'_, C> {
    /// A fault ends.
    pub(crate) fn on_undo(&mut self, slot: u32) {
        match self.take_undo(slot) {
            None => {}
            Some(Undo::Mend(cuts)) => {
                for (from, to) in &cuts {
                    self.net.mend(*from, *to);
                }
                let mended: Vec<(usize, usize)> = cuts
                    .iter()
                    .filter(|cut| !self.net.is_cut_between(cut.0, cut.1))
                    .copied()
                    .collect();
                self.announce_cuts(&mended, PeerEvent::Up);
            }
            Some(Undo::Flap {
                pair,
                times,
                is_cut,
            }) => self.flap(pair, times, is_cut),
            Some(Undo::Room(n)) => self.make_room(n),
            Some(Undo::Cut(n)) => {
                self.tally.count(Shape::OneMachine);
                self.crash_for_a_while(n, true);
            }
        }
    }

    fn make_room(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let running = node.log.store.as_mut().map(|store| store.disk_mut());
        if let Some(disk) = running.or(node.disk.as_mut()) {
            disk.inner_mut().set_capacity(None);
        }
    }

    /// Ends all faults. One replica may stay down for ever, where the protocol can do without it.
    pub(crate) fn heal(&mut self, gone: Option<usize>) {
        let nodes = self.nodes.len();
        let pairs = (0..nodes).flat_map(|a| (0..a).map(move |b| (a, b)));
        let cut: Vec<(usize, usize)> = pairs
            .filter(|(a, b)| self.net.is_cut_between(*a, *b))
            .collect();
        self.net.heal();
        self.forget_undos();
        let gone = gone.filter(|n| self.all_say(*n, C::can_do_without));
        if let Some(n) = gone {
            self.crash(n, false);
            self.nodes[n].is_gone = true;
        }
        for n in 0..nodes {
            self.make_room(n);
            let node = &mut self.nodes[n];
            node.paused_until = 0;
            node.stalled_until = 0;
            node.slow_disk_until = 0;
            node.slow_engine_until = 0;
            if let Some(store) = &mut node.log.store {
                store.disk_mut().heal();
            }
            self.agenda.after(MILLI, Event::Start { node: n as u8 });
        }
        // Only who was told that a link is down hears that it is up: nothing else may wake a replica.
        for (a, b) in cut {
            self.announce_link(a, b, PeerEvent::Up, 2 * MILLI);
        }
    }
}
