//! An operator who adds, removes and replaces members all the time; and who replaces those that have
//! lost their disk.

use std::sync::Arc;

use repertoire_core::{
    Descriptor, EntryId, Host, Incarnation, MemberChange, MembershipView, Role, ShardId,
};

use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};
use crate::plan::{node_id, node_index};
use crate::rng::Rng;
use crate::sometimes::Situation;

/// Between two looks of the operator, on average.
const LOOK_MEAN: Nanos = 60 * MILLI;

/// Most members that the operator makes a group have.
const MEMBERS_MAX: usize = 6;

/// What the operator of a keyspace knows.
#[derive(Clone, Debug)]
pub(crate) struct Operated {
    /// What the catalogue says: the members of some time.
    pub(crate) mirror: Arc<Descriptor>,
    /// The newest change of the members that nobody takes back any more.
    settled: u64,
}

impl Operated {
    pub(crate) const fn new(mirror: Arc<Descriptor>) -> Self {
        Self { mirror, settled: 0 }
    }
}

impl<C: Cast> World<'_, C> {
    pub(crate) fn plan_operator(&mut self) {
        if let Some(churn) = &mut self.plan.churn {
            let span = churn.exponential(LOOK_MEAN).max(MILLI);
            self.agenda.after(span, Event::Members);
        }
    }

    /// The operator looks at the group: there is one, in runs with an operator.
    pub(crate) fn on_operator(&mut self) {
        self.plan_operator();
        let Some(mut rng) = self.plan.churn.take() else {
            return;
        };
        if let Some((leader, view)) = self.newest_view(0) {
            self.note_view(&view, &mut rng);
            self.run_members(&view, &mut rng);
            if let Some(change) = self.wish(&view, &mut rng) {
                self.change_members(leader, &change);
                // Another operator wants something at the same time.
                if rng.one_in(6)
                    && let Some(other) = self.wish(&view, &mut rng)
                {
                    self.change_members(leader, &other);
                }
            }
        }
        self.plan.churn = Some(rng);
    }

    fn change_members(&mut self, leader: usize, change: &MemberChange) {
        let now = self.now(leader);
        let Some(host) = &mut self.nodes[leader].replicas[0].host else {
            return;
        };
        let before = host.members();
        // What it applied with its last input may be below the base of its log already.
        if let Some(view) = before.as_ref().filter(|view| view.is_settled) {
            self.known[0].changes.note_settled(view.at);
        }
        let before = before.map(|view| view.at);
        let result = host.change_members(now, change);
        let has_changed = before != host.members().map(|view| view.at);
        match (result, change) {
            (Err(error), _) if *error.kind() == repertoire_core::ErrorKind::Conflict => {
                self.reached.note(Situation::MemberChangeConflict);
            }
            (Ok(()), MemberChange::Add { .. }) if has_changed => {
                self.reached.note(Situation::MemberAdded);
            }
            (Ok(()), MemberChange::Remove { .. }) if has_changed => {
                self.reached.note(Situation::MemberRemoved);
            }
            _ => {}
        }
        self.touched(leader, 0);
    }

    /// What the leader of the newest epoch says.
    pub(crate) fn newest_view(&self, g: usize) -> Option<(usize, MembershipView)> {
        let leads = |host: &&Host<C::Machine>| host.vitals().role == Role::Leader;
        let hosts = self.nodes.iter().enumerate().filter_map(|(n, node)| {
            let host = node.replicas[g].host.as_ref().filter(leads)?;
            (node.paused_until <= self.time()).then_some((n, host))
        });
        let (n, host) = hosts.max_by_key(|(_, host)| host.vitals().epoch)?;
        Some((n, host.members()?))
    }

    /// Whether nobody has seen a newer membership settled than this one.
    fn is_newest(&self, at: EntryId) -> bool {
        at.lsn.0 >= self.known[0].operated.settled
    }

    fn note_view(&mut self, view: &MembershipView, rng: &mut Rng) {
        if !view.is_settled || !self.is_newest(view.at) {
            return;
        }
        let operated = &mut self.known[0].operated;
        operated.settled = view.at.lsn.0;
        // The catalogue hears of it sooner or later.
        if rng.one_in(2) {
            let described = &self.plan.groups[0].descriptor;
            operated.mirror = Arc::new(described.mirroring(ShardId(0), view.membership.members()));
        }
    }

    /// Starts replicas on nodes that became members, and formats nodes that are members no more.
    fn run_members(&mut self, view: &MembershipView, rng: &mut Rng) {
        if !view.is_settled || !self.is_newest(view.at) {
            return;
        }
        for n in 0..self.nodes.len() {
            let member = view.membership.member(node_id(n));
            let runs = self.nodes[n].replicas[0].is_member;
            match member {
                Some(_) if !runs && rng.one_in(2) => self.run_replica(n),
                None if runs && rng.one_in(2) => {
                    self.nodes[n].replicas[0].is_member = false;
                    self.format_node(n, rng);
                }
                _ => {}
            }
        }
    }

    fn run_replica(&mut self, n: usize) {
        self.nodes[n].replicas[0].is_member = true;
        if self.nodes[n].is_up {
            self.start_replica(n, 0);
        }
    }

    /// The node comes back with an empty disk, which is another one.
    fn format_node(&mut self, n: usize, rng: &mut Rng) {
        self.crash_for_a_while(n, false);
        let node = &mut self.nodes[n];
        node.take_new_disk(rng);
        for replica in &mut node.replicas {
            replica.log.recover_rotten(EntryId::ZERO, false);
        }
    }

    /// Whether a member's disk is not the one that the group knows, or has forgotten what nobody tells it
    /// since members have changed.
    pub(crate) fn is_lost(&self, n: usize, view: &MembershipView) -> bool {
        let node = &self.nodes[n];
        let member = view.membership.member(node_id(n));
        let status = node.replicas[0].host.as_ref().map(Host::inspect);
        let is_amnesiac = status.and_then(|status| status.details.get("is_amnesiac").copied());
        let has_forgotten = view.at != EntryId::ZERO && is_amnesiac == Some(1);
        let is_other = |disk: Option<Incarnation>| match disk {
            Some(disk) => disk != node.incarnation,
            None => node.incarnation != node.founded,
        };
        member.is_some_and(|member| has_forgotten || is_other(member.incarnation))
    }

    /// The fewest voters that the keyspace's acknowledgements leave a group.
    pub(crate) fn voters_min(&self) -> usize {
        let acks = self.plan.groups[0].descriptor.options.acks;
        (1..).find(|n| acks.is_satisfiable(*n)).unwrap_or(1).max(2)
    }

    fn wish(&self, view: &MembershipView, rng: &mut Rng) -> Option<MemberChange> {
        let group = &view.membership;
        let voters: Vec<usize> = group.voters().map(node_index).collect();
        let spare = voters.len() > self.voters_min();
        let members = group.members().iter();
        let lost = members
            .map(|m| node_index(m.node))
            .find(|n| self.is_lost(*n, view));
        if let Some(n) = lost {
            let is_voter = group.is_voter(node_id(n));
            let node = node_id(n);
            return if spare || !is_voter {
                Some(MemberChange::Remove { node })
            } else {
                self.addition(view, Some(n).filter(|_| rng.one_in(2)), rng)
            };
        }
        if !self.is_issuing {
            return None;
        }
        if rng.one_in(2) {
            let replaced = Some(*rng.pick(&voters)).filter(|_| rng.one_in(3));
            return self.addition(view, replaced, rng);
        }
        let node = rng.pick(group.members()).node;
        let may_go = spare || !group.is_voter(node);
        may_go.then_some(MemberChange::Remove { node })
    }

    fn addition(
        &self,
        view: &MembershipView,
        replaced: Option<usize>,
        rng: &mut Rng,
    ) -> Option<MemberChange> {
        let group = &view.membership;
        let free = |n: &usize| group.member(node_id(*n)).is_none();
        let free: Vec<usize> = (0..self.nodes.len()).filter(free).collect();
        if free.is_empty() || group.members().len() >= MEMBERS_MAX {
            return None;
        }
        let n = *rng.pick(&free);
        // Who still runs as what it was before is formatted first.
        let is_fresh = !self.nodes[n].replicas[0].is_member;
        is_fresh.then(|| MemberChange::Add {
            node: node_id(n),
            incarnation: self.nodes[n].incarnation,
            votes: replaced.is_some() || !rng.one_in(6),
            replaces: replaced.map(node_id),
        })
    }
}
