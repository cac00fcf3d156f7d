//! Taking the next event.

use repertoire_core::{Now, PeerEvent};

use super::event::{Parcel, peer};
use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MICRO, Nanos};
use crate::fault::kind::Fault;
use crate::sometimes::Situation;

/// Steps between two looks at what all replicas say of themselves.
const INSPECT_EVERY: u64 = 128;

impl<C: Cast> World<'_, C> {
    /// Takes the next event. `false` when there is none.
    pub(crate) fn next(&mut self) -> bool {
        let Some(event) = self.agenda.next() else {
            return false;
        };
        let before = self.steps;
        if let Some(until) = self.paused(&event) {
            if matches!(event, Event::Request { .. }) {
                self.reached.note(Situation::PausedUnderLoad);
            }
            // A node's turn looks at what has arrived before it looks at the time.
            let is_timer = matches!(event, Event::Timer { .. } | Event::Deadline { .. });
            self.agenda.at(until + Nanos::from(is_timer), event);
            return true;
        }
        self.take(event);
        if self.steps / INSPECT_EVERY != before / INSPECT_EVERY {
            self.inspect_all();
        }
        true
    }

    /// When the node that the event is for goes on, if it stands still.
    fn paused(&self, event: &Event) -> Option<Nanos> {
        let node = match event {
            Event::Message(slot) => self.parcels.get(*slot)?.to,
            Event::Transfer(slot) => self.transfers.get(*slot)?.to,
            Event::LogAnswer(slot) => self.log_answers.get(*slot)?.node,
            Event::Timer { node, .. }
            | Event::Flush { node, .. }
            | Event::LogDone { node, .. }
            | Event::LogRetry { node, .. }
            | Event::JobDone { node, .. }
            | Event::Deadline { node, .. }
            | Event::SnapshotStep { node, .. }
            | Event::SnapshotStored { node, .. }
            | Event::SnapshotLoaded { node, .. }
            | Event::TransferTick { node, .. }
            | Event::Request { node, .. }
            | Event::Link { node, .. } => *node,
            Event::Reply(_)
            | Event::Unreachable { .. }
            | Event::Timeout { .. }
            | Event::Again { .. }
            | Event::Wake { .. }
            | Event::Start { .. }
            | Event::Expiry { .. }
            | Event::Wish
            | Event::Controller { .. }
            | Event::Members
            | Event::Strike(_)
            | Event::Undo(_) => return None,
        };
        let until = self.nodes[usize::from(node)].paused_until;
        (until > self.time()).then_some(until)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Message(slot) => self.on_message(slot),
            Event::Transfer(slot) => self.on_transfer(slot),
            Event::Timer {
                node,
                group,
                slot,
                boot,
            } => {
                if let Some((n, g)) = self.live(node, group, boot) {
                    self.on_timer(n, g, usize::from(slot));
                }
            }
            Event::Flush { node, boot } => {
                if let Some((n, _)) = self.live(node, 0, boot) {
                    self.flush_node(n);
                }
            }
            Event::LogDone { node, boot } => {
                if let Some((n, _)) = self.live(node, 0, boot) {
                    self.on_log_done(n);
                }
            }
            Event::LogRetry { node, boot } => {
                if let Some((n, _)) = self.live(node, 0, boot) {
                    self.nodes[n].log.is_busy = false;
                    self.turn_log(n);
                }
            }
            Event::LogAnswer(slot) => self.on_log_answer(slot),
            Event::JobDone { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_job_done);
            }
            Event::Deadline { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_deadline);
            }
            Event::SnapshotStep { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_snapshot_step);
            }
            Event::SnapshotStored { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_snapshot_stored);
            }
            Event::SnapshotLoaded { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_snapshot_loaded);
            }
            Event::TransferTick { node, group, boot } => {
                self.if_live(node, group, boot, Self::on_transfer_tick);
            }
            Event::Request { op, attempt, node } => self.on_request(op, attempt, usize::from(node)),
            Event::Reply(slot) => self.on_reply(slot),
            Event::Unreachable { op, attempt } => self.on_unreachable(op, attempt),
            Event::Timeout { client } => self.on_timeout(usize::from(client)),
            Event::Again { op } => self.attempt(op),
            Event::Wake { client } => self.on_wake(usize::from(client)),
            Event::Link {
                node,
                peer,
                news,
                boot,
            } => self.on_link(node, peer, news, boot),
            Event::Start { node } => self.start(usize::from(node)),
            Event::Expiry { group } => self.on_expiry(usize::from(group)),
            Event::Wish => self.on_wish(),
            Event::Controller { group } => self.on_controller(usize::from(group)),
            Event::Members => self.on_operator(),
            Event::Strike(kind) => self.strike(kind),
            Event::Undo(slot) => self.on_undo(slot),
        }
    }

    /// Hands an event to the replica that it is for, if the boot that planned it still runs.
    fn if_live(&mut self, node: u8, group: u8, boot: u32, take: fn(&mut Self, usize, usize)) {
        if let Some((n, g)) = self.live(node, group, boot) {
            take(self, n, g);
        }
    }

    /// The replica that an event is for, if the boot that planned it still runs.
    fn live(&self, node: u8, group: u8, boot: u32) -> Option<(usize, usize)> {
        let n = usize::from(node);
        let home = &self.nodes[n];
        (home.is_up && home.boot == boot).then_some((n, usize::from(group)))
    }

    /// What the clocks of a node show.
    #[inline]
    pub(crate) fn now(&self, node: usize) -> Now {
        self.nodes[node].clock.now(self.time())
    }

    /// Whether a message gets through. A connection ends with either of its ends, and takes along what
    /// is on it.
    pub(super) fn arrives<M>(&mut self, parcel: &Parcel<M>) -> bool {
        let Some(link) = parcel.link else {
            return true;
        };
        let (from, to) = (usize::from(parcel.from), usize::from(parcel.to));
        let is_open = self.time() > self.open_from[from * self.nodes.len() + to];
        let is_whole = self.nodes[from].is_up && link == self.link(from, to);
        self.net.arrive(from, to) && is_whole && is_open
    }

    /// A new connection carries messages once both ends were told of it.
    pub(super) fn connect(&mut self, a: usize, b: usize) {
        let (there, back) = (a * self.nodes.len() + b, b * self.nodes.len() + a);
        let told = self.link_news[there].max(self.link_news[back]);
        (self.open_from[there], self.open_from[back]) = (told, told);
    }

    /// When a message that takes until `at` arrives: what a node says on a connection of which it was
    /// told waits until the other end knows of it too.
    pub(super) fn landing(&self, from: usize, to: usize, at: Nanos) -> Nanos {
        let place = from * self.nodes.len() + to;
        if self.link_news[place] <= self.time() {
            at.max(self.open_from[place] + 1)
        } else {
            at
        }
    }

    /// The connection between two nodes, by their boots.
    pub(super) fn link(&self, from: usize, to: usize) -> (u32, u32) {
        (self.nodes[from].boot, self.nodes[to].boot)
    }

    fn on_message(&mut self, slot: u32) {
        let Some(parcel) = self.parcels.take(slot) else {
            return;
        };
        let (n, g) = (usize::from(parcel.to), usize::from(parcel.group));
        let arrives = self.arrives(&parcel);
        let now = self.now(n);
        self.trace.note(
            1,
            u64::from(parcel.from) << 16 | u64::from(parcel.to) << 8 | g as u64,
            now.mono.0,
        );
        if !arrives {
            return;
        }
        if parcel.link.is_some() && self.net.faults.has(Fault::Duplicate) {
            self.record(Parcel {
                link: None,
                message: parcel.message.clone(),
                ..parcel
            });
        }
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            host.message(now, peer(parcel.from), parcel.message);
            self.touched(n, g);
        }
    }

    fn on_timer(&mut self, n: usize, g: usize, slot: usize) {
        let time = self.time();
        let boot = self.nodes[n].boot;
        let replica = &mut self.nodes[n].replicas[g];
        let Some(timer) = replica.timers.get_mut(slot) else {
            return;
        };
        timer.planned = Nanos::MAX;
        if timer.at == Nanos::MAX {
            return;
        }
        if timer.at > time {
            let at = timer.at;
            timer.planned = at;
            let event = Event::Timer {
                node: n as u8,
                group: g as u8,
                slot: slot as u8,
                boot,
            };
            self.agenda.at(at, event);
            return;
        }
        timer.at = Nanos::MAX;
        let key = timer.key;
        let now = self.now(n);
        self.trace.note(2, (n as u64) << 8 | g as u64, key);
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            host.timer(now, key);
            self.touched(n, g);
        }
    }

    fn on_deadline(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        self.nodes[n].replicas[g].deadline = Nanos::MAX;
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            let next = host.expire(now);
            self.touched(n, g);
            self.watch_deadline(n, g, next);
        }
    }

    fn on_link(&mut self, node: u8, other: u8, news: PeerEvent, boot: u32) {
        let Some((n, _)) = self.live(node, 0, boot) else {
            return;
        };
        let now = self.now(n);
        for g in 0..self.plan.groups.len() {
            if !self.plan.groups[g].members.contains(&usize::from(other)) {
                continue;
            }
            if let Some(host) = &mut self.nodes[n].replicas[g].host {
                host.peer(now, peer(other), news);
                self.touched(n, g);
            }
        }
    }

    /// Tells two nodes after `span` how the link between them is.
    pub(crate) fn announce_link(&mut self, a: usize, b: usize, news: PeerEvent, span: Nanos) {
        self.tell_link(a, b, news, span);
        self.tell_link(b, a, news, span);
    }

    /// Tells a node after `span` how its link to `other` is. News of one link arrive in their order.
    pub(crate) fn tell_link(&mut self, node: usize, other: usize, news: PeerEvent, span: Nanos) {
        let place = node * self.nodes.len() + other;
        let at = (self.time() + span).max(self.link_news[place] + 1);
        self.link_news[place] = at;
        let event = Event::Link {
            node: node as u8,
            peer: other as u8,
            news,
            boot: self.nodes[node].boot,
        };
        self.agenda.at(at, event);
    }

    /// An input was delivered: counts it, and ends the batch now or soon.
    #[inline]
    pub(crate) fn touched(&mut self, n: usize, g: usize) {
        self.steps += 1;
        if self.plan.batch == 0 {
            self.flush(n, g);
            return;
        }
        self.flush_later(n, g);
    }

    /// Has a replica flushed again after a while.
    pub(crate) fn flush_later(&mut self, n: usize, g: usize) {
        let (time, span) = (self.time(), self.plan.batch.max(MICRO));
        let node = &mut self.nodes[n];
        node.replicas[g].is_dirty = true;
        if !node.flush_planned {
            node.flush_planned = true;
            let event = Event::Flush {
                node: n as u8,
                boot: node.boot,
            };
            self.agenda.at(time + span, event);
        }
    }

    fn flush_node(&mut self, n: usize) {
        self.nodes[n].flush_planned = false;
        for g in 0..self.plan.groups.len() {
            if std::mem::take(&mut self.nodes[n].replicas[g].is_dirty) {
                self.flush(n, g);
            }
        }
    }
}
