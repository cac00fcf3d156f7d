//! One turn: drain, hand out, flush, pass on.

use actix::Context;
use repertoire_core::{
    Channel, Delivery, Error, ErrorKind, GroupId, LinkEvent, Mono, Now, Outcome, PeerEvent, Reply,
    ReplyHandle, WriteOutcome,
};
use repertoire_wire::decode_frame;
use tracing::Span;

use super::{BurstMark, NodeActor};
use crate::actors::storage::StorageCommand;
use crate::actors::transport::TransportCommand;
use crate::inbox::{Drained, JobNews, LogReadDone, RecoverDone};

impl NodeActor {
    pub(super) fn turn(&mut self, ctx: &mut Context<Self>) {
        let cpu = crate::clock::thread_cpu();
        let mut drained = std::mem::take(&mut self.drained);
        self.wiring.inbox.take(&mut drained);
        // Sampled after draining: every request of this turn was invoked before it.
        let now = crate::clock::now();
        self.take_log(now, &mut drained);
        self.take_network(now, &mut drained);
        self.take_jobs(now, &mut drained);
        self.begin_traces(&mut drained.traced);
        self.take_clients(now, &mut drained);
        for control in drained.controls.drain(..) {
            self.control(now, control);
        }
        for done in drained.recovered.drain(..) {
            let RecoverDone {
                group,
                instance,
                contents,
            } = done;
            self.rebuild_recovered(now, group, instance, contents);
        }
        drained.log_full = None;
        self.begin_rebuilds(now);
        self.begin_due_snapshots(now);
        self.drained = drained;
        let mut next = self.fire_timers(now).min(self.continue_snapshots(now));
        if self.flush_dirty(now) {
            next = now.mono;
        }
        self.pass_on();
        self.traces.end_turn();
        self.wake_by(next.min(self.timers_from), now.mono, ctx);
        let took = crate::clock::now().mono.since(now.mono);
        self.longest_turn = self.longest_turn.max(took);
        let cpu = crate::clock::thread_cpu().saturating_sub(cpu);
        self.longest_turn_cpu = self.longest_turn_cpu.max(cpu);
    }

    /// Marks a replica as having heard something.
    pub(super) fn touch(&mut self, group: GroupId) {
        if let Some(slot) = self.slots.get_mut(&group) {
            slot.look_at = Mono::default();
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(group);
            }
        }
    }

    fn take_log(&mut self, now: Now, drained: &mut Drained) {
        if let Some(full) = drained.log_full {
            self.log_full = full;
        }
        if let Some(burst) = drained.durable.take() {
            self.traces.durable(burst);
            while let Some(mark) = self.marks.pop_front_if(|mark| mark.burst <= burst) {
                let BurstMark {
                    group,
                    instance,
                    seq,
                    ..
                } = mark;
                let Some(slot) = self.slots.get_mut(&group) else {
                    continue;
                };
                if slot.instance == instance {
                    slot.guard(|host| host.durable(now, seq));
                    self.touch(group);
                }
            }
        }
        for LogReadDone {
            group,
            instance,
            ticket,
            slice,
        } in drained.log_reads.drain(..)
        {
            let Some(slot) = self.slots.get_mut(&group) else {
                continue;
            };
            if slot.instance != instance {
                continue;
            }
            match slice {
                Ok(slice) => {
                    slot.guard(|host| host.log_read(now, ticket, slice));
                    self.touch(group);
                }
                Err(error) => tracing::error!(%group, %error, "The log could not be read back"),
            }
        }
    }

    fn take_network(&mut self, now: Now, drained: &mut Drained) {
        for event in drained.links.drain(..) {
            let (peer, event, up) = match event {
                LinkEvent::Up { peer } => (peer, PeerEvent::Up, true),
                LinkEvent::Down { peer, reason } => {
                    tracing::info!(%peer, reason, "A link is down");
                    (peer, PeerEvent::Down, false)
                }
                LinkEvent::Silent { peer } => (peer, PeerEvent::Silent, true),
                LinkEvent::Writable { peer } => (peer, PeerEvent::Writable, true),
            };
            self.links.insert(peer, up);
            let groups: Vec<_> = self.slots.keys().copied().collect();
            for group in groups {
                if let Some(slot) = self.slots.get_mut(&group) {
                    slot.guard(|host| host.peer(now, peer, event));
                }
                self.touch(group);
            }
        }
        let mut freed = 0;
        for delivery in drained.deliveries.drain(..) {
            freed += self.deliver(now, delivery);
        }
        self.wiring.peer_credit.give_back(freed);
        self.resume_peers();
    }

    /// Hands frames to their replicas; returns their bytes.
    fn deliver(&mut self, now: Now, delivery: Delivery) -> usize {
        let Delivery {
            from,
            class,
            frames,
        } = delivery;
        let mut bytes = 0;
        for frame in frames {
            bytes += frame.len();
            let frame = match decode_frame(frame, class) {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::warn!(%from, %error, "A frame was dropped");
                    self.count("frame-malformed", 1);
                    continue;
                }
            };
            let group = frame.group;
            let Some(slot) = self.slots.get_mut(&group) else {
                // A replica that this node does not know yet: its sender goes on trying.
                self.count("frame-unknown-group", 1);
                continue;
            };
            let config_epoch = slot.descriptor.config_epoch;
            if frame.config_epoch != config_epoch && !slot.logs_members {
                self.count("frame-stale-descriptor", 1);
                continue;
            }
            match frame.channel {
                Channel::Protocol => {
                    let append = frame.trace.map(|context| {
                        let what = (group, slot.descriptor.name.as_str());
                        let who = (self.identity.node, from);
                        self.traces.begin_append(context, what, who)
                    });
                    let _entered = append.as_ref().map(Span::enter);
                    slot.guard(|host| host.message(now, from, frame.message));
                    self.touch(group);
                }
                Channel::Snapshot => {
                    let engine = slot.engine.clone();
                    let message = frame.message;
                    let command = StorageCommand::Message {
                        group,
                        engine,
                        config_epoch,
                        from,
                        message,
                    };
                    self.wiring.storage.push(command);
                }
            }
        }
        if self.wiring.peer_credit.is_exhausted() && !self.stopped_peers.contains(&from) {
            self.stopped_peers.push(from);
        }
        bytes
    }

    fn resume_peers(&mut self) {
        if self.wiring.peer_credit.is_exhausted() {
            return;
        }
        for peer in self.stopped_peers.drain(..) {
            self.wiring.transport.push(TransportCommand::Resume(peer));
        }
    }

    fn take_jobs(&mut self, now: Now, drained: &mut Drained) {
        for news in drained.jobs.drain(..) {
            let (group, instance) = match &news {
                JobNews::Engine {
                    group, instance, ..
                }
                | JobNews::Resolved {
                    group, instance, ..
                } => (*group, *instance),
            };
            let Some(slot) = self.slots.get_mut(&group) else {
                continue;
            };
            if slot.instance != instance {
                continue;
            }
            slot.guard(|host| match news {
                JobNews::Engine { result, .. } => host.job_done(now, result),
                JobNews::Resolved { ticket, value, .. } => host.resolved(now, ticket, value),
            });
            self.touch(group);
        }
        for news in std::mem::take(&mut drained.snapshots) {
            self.snapshot_news(now, news);
        }
    }

    fn take_clients(&mut self, now: Now, drained: &mut Drained) {
        let mut writes = std::mem::take(&mut drained.writes);
        for (group, request) in writes.drain(..) {
            let to = request.reply_to;
            if self.log_full {
                self.refuse(group, to, Error::new(ErrorKind::StorageFull, "write"));
                continue;
            }
            match self.running(group) {
                Ok(slot) => {
                    if slot.guard(|host| host.submit(now, request)).is_none() {
                        let unknown = Error::new(ErrorKind::Poisoned, "write")
                            .with_outcome(WriteOutcome::Unknown);
                        self.refuse(group, to, unknown);
                    }
                    self.touch(group);
                }
                Err(error) => self.refuse(group, to, error),
            }
        }
        drained.writes = writes;
        let mut reads = std::mem::take(&mut drained.reads);
        for (group, request) in reads.drain(..) {
            let to = request.reply_to;
            match self.running(group) {
                Ok(slot) => {
                    if slot.guard(|host| host.read(now, request)).is_none() {
                        self.refuse(group, to, Error::new(ErrorKind::Poisoned, "read"));
                    }
                    self.touch(group);
                }
                Err(error) => self.refuse(group, to, error),
            }
        }
        drained.reads = reads;
    }

    pub(super) fn running(&mut self, group: GroupId) -> Result<&mut super::Slot, Error> {
        if self.draining {
            return Err(Error::new(ErrorKind::ShuttingDown, "request"));
        }
        let unknown = || Error::new(ErrorKind::UnknownKeyspace, "request").with("group", group);
        let slot = self.slots.get_mut(&group).ok_or_else(unknown)?;
        match &slot.poison {
            Some(error) if slot.rebuild.is_pending() => {
                Err(Error::new(ErrorKind::Unavailable, "request")
                    .with("group", group)
                    .with("detail", "the replica is being built anew")
                    .with("after", error))
            }
            Some(error) => Err(error.clone()),
            None => Ok(slot),
        }
    }

    pub(super) fn refuse(&mut self, group: GroupId, to: ReplyHandle, error: Error) {
        let outcome = Outcome::Failed(Box::new(error));
        self.replies
            .entry(to.session)
            .or_default()
            .push(Reply { group, to, outcome });
    }

    pub(super) fn count(&mut self, name: &'static str, value: u64) {
        *self.counters.entry(name).or_default() += value;
    }

    /// Fires what is due; returns when the next timer is.
    fn fire_timers(&mut self, now: Now) -> Mono {
        if now.mono < self.timers_from {
            return self.timers_from;
        }
        let due = |slot: &super::Slot| slot.next_timer() <= now.mono;
        let groups: Vec<_> = self
            .slots
            .values()
            .filter(|slot| due(slot))
            .map(|slot| slot.group)
            .collect();
        for group in groups {
            let Some(slot) = self.slots.get_mut(&group) else {
                continue;
            };
            let keys: Vec<_> = slot
                .timers
                .iter()
                .filter(|(_, at)| **at <= now.mono)
                .map(|(k, _)| *k)
                .collect();
            for key in keys {
                slot.timers.remove(&key);
                slot.guard(|host| host.timer(now, key));
            }
            self.touch(group);
        }
        let timers = self.slots.values().map(|slot| slot.next_timer());
        self.timers_from = timers.min().unwrap_or(Mono::NEVER);
        self.timers_from
    }
}
