//! What became of elections, as far as replicas tell; and somebody who wants other leaders.

use repertoire_core::{Host, Role, Telemetry};

use super::{Event, Undo, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};
use crate::fault::kind::{Fault, Shape};
use crate::invariants::appointed::Appointments;
use crate::invariants::log_matching::Place;
use crate::plan::node_id;
use crate::sometimes::Situation;

/// The elections of one keyspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elections {
    /// The node that was elected last.
    leader: Option<usize>,
    /// Who may be elected where leaders are appointed.
    pub(crate) appointed: Appointments,
    /// Whether votes have been asked for since, and nobody has won.
    is_open: bool,
}

/// Between two wishes for another leader, on average.
const WISH_MEAN: Nanos = 120 * MILLI;

/// How long a leader that hands over is deaf, on average.
const DEAF_MEAN: Nanos = 200 * MILLI;

impl<C: Cast> World<'_, C> {
    pub(crate) fn plan_wish(&mut self) {
        if let Some(wishes) = &mut self.plan.wishes {
            let span = wishes.exponential(WISH_MEAN);
            self.agenda.after(span, Event::Wish);
        }
    }

    /// Somebody wants a replica to lead instead of one that believes to.
    pub(crate) fn on_wish(&mut self) {
        let groups = self.plan.groups.len();
        let Some(wishes) = self.plan.wishes.as_mut().filter(|_| self.is_issuing) else {
            return;
        };
        let g = wishes.index(groups);
        let to = *wishes.pick(&self.plan.groups[g].members);
        self.plan_wish();
        for n in self.plan.groups[g].members.clone() {
            let now = self.now(n);
            let is_paused = self.nodes[n].paused_until > self.time();
            let host = self.nodes[n].replicas[g].host.as_mut();
            let leads = |host: &Host<C::Machine>| host.vitals().role == Role::Leader;
            if let Some(host) = host.filter(|host| !is_paused && leads(host)) {
                // What is refused is refused.
                let _ = host.transfer(now, node_id(to));
                self.touched(n, g);
            }
        }
    }

    /// Half of the leaders that hand over hear nothing of what comes of it for a while.
    fn deafen(&mut self, n: usize) {
        let may_cut = self.plan.faults.has(Fault::Partition);
        let Some(wishes) = self.plan.wishes.as_mut().filter(|_| may_cut) else {
            return;
        };
        if wishes.one_in(2) {
            return;
        }
        let span = wishes.exponential(DEAF_MEAN);
        let others = (0..self.nodes.len()).filter(|other| *other != n);
        let cuts: Vec<_> = others.map(|other| (other, n)).collect();
        for (from, to) in &cuts {
            self.net.cut(*from, *to);
        }
        self.tally.count(Shape::OneWay);
        let slot = self.plan_undo(Undo::Mend(cuts));
        self.agenda.after(span, Event::Undo(slot));
    }

    pub(crate) fn note_election(&mut self, n: usize, g: usize, event: Telemetry) {
        let host = self.nodes[n].replicas[g].host.as_ref();
        let epoch = host.map_or(0, |host| host.vitals().epoch.0);
        let elections = &mut self.known[g].elections;
        match event.name {
            "election-begun" => {
                elections.appointed.ask(n, event.value);
                if std::mem::replace(&mut elections.is_open, true) {
                    self.reached.note(Situation::ElectionWithoutWinner);
                }
            }
            "leader-elected" => {
                elections.is_open = false;
                if self.plan.groups[g].is_appointed() {
                    let place = Place { node: n, group: g };
                    elections
                        .appointed
                        .judge(place, event.value, &mut self.findings);
                }
                match elections.leader.replace(n) {
                    Some(before) if before == n => self.reached.note(Situation::LeaderReelected),
                    Some(_) => self.reached.note(Situation::LeaderReplaced),
                    None => {}
                }
            }
            "leader-without-quorum" => self.reached.note(Situation::LeaderGaveUp),
            "entries-inherited" => self.reached.note(Situation::EntriesInherited),
            "take-over-asked" => {
                let to = event.value as usize - 1;
                elections.appointed.note(to, epoch + 1);
                self.deafen(n);
            }
            "promotion-begun" => {
                elections.appointed.note(n, event.value);
                self.reached.note(Situation::PromotionBegun);
            }
            "promotion-refused" => self.reached.note(Situation::PromotionRefused),
            "leader-promoted" => self.reached.note(Situation::LeaderPromoted),
            "leader-took-over" => self.reached.note(Situation::LeaderTookOver),
            "voter-joined" => self.reached.note(Situation::VoterJoined),
            "voter-left" => self.reached.note(Situation::VoterLeft),
            "append-to-newcomer" => self.reached.note(Situation::NewcomerSilent),
            "voter-recovered" => self.reached.note(Situation::VoterRecovered),
            "leader-quiescent" => self.reached.note(Situation::GroupQuiescent),
            "leader-woken" => self.reached.note(Situation::GroupWoken),
            "transfer-expired" => self.reached.note(Situation::TransferExpired),
            "write-settled" => self.reached.note(Situation::DiscardKept),
            "read-confirmed" => self.reached.note(Situation::ReadConfirmed),
            _ => {}
        }
    }
}
