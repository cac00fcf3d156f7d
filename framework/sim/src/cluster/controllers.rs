//! The controllers of keyspaces whose leaders are appointed. There are two of each, which know nothing of
//! each other; they see some of the nodes, and act on what they saw a while ago.

use repertoire_core::{ErrorKind, LeaderEpoch, Promotion, Role, Vitals};

use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};
use crate::sometimes::Situation;

/// Between two looks at a keyspace, on average, of both controllers together.
const LOOK_MEAN: Nanos = 40 * MILLI;

/// One in so many looks promotes although a leader is seen.
const MISTAKES: u64 = 16;

impl<C: Cast> World<'_, C> {
    pub(crate) fn start_controllers(&mut self) {
        for g in 0..self.plan.groups.len() {
            if self.plan.groups[g].is_appointed() {
                self.plan_look(g);
            }
        }
    }

    fn plan_look(&mut self, g: usize) {
        let span = self.plan.controllers.exponential(LOOK_MEAN);
        let group = g as u8;
        self.agenda.after(span, Event::Controller { group });
    }

    pub(crate) fn on_controller(&mut self, g: usize) {
        self.plan_look(g);
        let seen = self.seen(g);
        let is_led = seen.iter().any(|(_, vitals)| vitals.role == Role::Leader);
        let rng = &mut self.plan.controllers;
        if seen.is_empty() || (is_led && !rng.one_in(MISTAKES)) {
            return;
        }
        let newest = seen.iter().max_by_key(|(_, vitals)| vitals.last);
        let best = newest.map_or(seen[0].0, |(n, _)| *n);
        let to = if rng.one_in(2) {
            best
        } else {
            rng.pick(&seen).0
        };
        let epoch = seen.iter().map(|(_, vitals)| vitals.epoch.0).max();
        let is_late = rng.one_in(8);
        let replaces = epoch.unwrap_or(0).saturating_sub(is_late.into());
        self.promote(to, g, Promotion::of(LeaderEpoch(replaces)));
    }

    /// What a controller knows: some of the nodes do not answer it.
    fn seen(&mut self, g: usize) -> Vec<(usize, Vitals)> {
        let time = self.time();
        let rng = &mut self.plan.controllers;
        let mut seen = Vec::new();
        for n in self.plan.groups[g].members.clone() {
            let node = &self.nodes[n];
            let host = node.replicas[g].host.as_ref();
            if let Some(host) = host.filter(|_| node.paused_until <= time && !rng.one_in(4)) {
                seen.push((n, host.vitals()));
            }
        }
        seen
    }

    fn promote(&mut self, n: usize, g: usize, promotion: Promotion) {
        let now = self.now(n);
        let Some(host) = self.nodes[n].replicas[g].host.as_mut() else {
            return;
        };
        match host.promote(now, promotion) {
            Err(error) if matches!(error.kind(), ErrorKind::Fenced { .. }) => {
                self.reached.note(Situation::PromotionOutdated);
            }
            // What is refused otherwise is tried again.
            Ok(_) | Err(_) => {}
        }
        self.touched(n, g);
    }
}
