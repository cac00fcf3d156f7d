//! What replicas want done, gathered and passed on: log first, then storage, sends, replies.

use repertoire_core::{
    Channel, Class, GroupId, Host, HostOutput, LogSeq, Now, Outcome, Outgoing, Telemetry,
    TimerOrder,
};

use super::{BurstMark, NodeActor, Slot};
use crate::actors::log::LogCommand;
use crate::actors::resolver::ResolveJob;
use crate::actors::storage::StorageCommand;
use crate::actors::transport::TransportCommand;

impl NodeActor {
    /// Flushes every replica that heard something. Whether some have more to do in the next turn.
    pub(super) fn flush_dirty(&mut self, now: Now) -> bool {
        let mut ops = Vec::new();
        let mut unfinished = Vec::new();
        let mut applied_catalogue = false;
        while let Some(group) = self.dirty.pop() {
            let Some(mut slot) = self.slots.remove(&group) else {
                continue;
            };
            slot.dirty = false;
            if slot.poison.is_none() {
                slot.guard(|host| host.flush(now));
            }
            if slot.poison.is_some() {
                self.stop_poisoned(now, &mut slot);
            } else {
                self.gather(&mut slot, &mut ops);
                applied_catalogue |= group == GroupId::CATALOGUE;
                if slot.host.as_ref().is_some_and(Host::has_more) {
                    unfinished.push(group);
                }
            }
            self.slots.insert(group, slot);
        }
        if !ops.is_empty() {
            self.wiring.log.push(LogCommand::Append {
                burst: self.bursts,
                ops,
            });
        }
        if applied_catalogue {
            self.follow_catalogue(now);
        }
        for group in &unfinished {
            self.touch(*group);
        }
        !unfinished.is_empty()
    }

    fn gather(&mut self, slot: &mut Slot, ops: &mut Vec<repertoire_core::GroupLogOp>) {
        let (group, instance) = (slot.group, slot.instance);
        if let Some(executor) = slot.worker.take() {
            self.wiring.storage.push(StorageCommand::AddEngine {
                group,
                instance,
                executor,
            });
        }
        let config_epoch = slot.descriptor.config_epoch;
        let Some(host) = &mut slot.host else { return };
        let out = host.output();
        let seq = out.log_seq;
        if !out.log.is_empty() {
            let first_of_burst = ops.is_empty();
            ops.append(&mut out.log);
            self.mark(first_of_burst, group, instance, seq);
            self.traces.logged(group, self.bursts);
        }
        for job in out.jobs.drain(..) {
            self.wiring.storage.push(StorageCommand::Run {
                group,
                instance,
                job,
            });
        }
        let cause = self.traces.cause(group);
        for (to, message) in out.sends.drain(..) {
            // Only entries are worth following: the rest is small talk.
            let trace = cause.filter(|_| message.class == Class::Replication);
            let frame = Outgoing {
                channel: Channel::Protocol,
                group,
                config_epoch,
                message,
                trace,
            };
            self.frames.entry(to).or_default().push(frame);
        }
        for reply in out.replies.drain(..) {
            self.replies
                .entry(reply.to.session)
                .or_default()
                .push(reply);
        }
        for read in out.log_reads.drain(..) {
            self.wiring.log.push(LogCommand::Read {
                group,
                instance,
                read,
            });
        }
        for TimerOrder { key, at } in out.timers.drain(..) {
            match at {
                Some(at) => {
                    self.timers_from = self.timers_from.min(at);
                    slot.timers.insert(key, at)
                }
                None => slot.timers.remove(&key),
            };
        }
        for count in out.telemetry.drain(..) {
            if count.name.starts_with("write-discarded") {
                warn_discarded(slot.group, &slot.descriptor.name, &count);
            }
            *self.counters.entry(count.name).or_default() += count.value;
        }
        self.gather_rare(slot);
    }

    fn gather_rare(&mut self, slot: &mut Slot) {
        let (group, instance) = (slot.group, slot.instance);
        let Some(host) = &mut slot.host else { return };
        let HostOutput {
            resolves,
            snapshots,
            pieces,
            ..
        } = host.output();
        for piece in pieces.drain(..) {
            self.wiring.transfer_stats.queued(&piece);
            self.wiring.storage.push(StorageCommand::Piece {
                group,
                instance,
                piece,
            });
        }
        let orders = std::mem::take(snapshots);
        let resolves = std::mem::take(resolves);
        for (ticket, conflict) in resolves {
            let name = slot
                .descriptor
                .resolver
                .as_ref()
                .map_or("", |r| r.name.as_str());
            let Ok(rule) = self.registry.get_resolver(name) else {
                continue;
            };
            let resolver = std::sync::Arc::clone(rule);
            let job = ResolveJob {
                group,
                instance,
                ticket,
                resolver,
                conflict,
            };
            self.wiring.resolver.push(job);
        }
        self.order_snapshots(slot, orders);
    }

    fn mark(
        &mut self,
        first_of_burst: bool,
        group: GroupId,
        instance: repertoire_core::InstanceGen,
        seq: LogSeq,
    ) {
        if first_of_burst {
            self.bursts += 1;
        }
        self.marks.push_back(BurstMark {
            burst: self.bursts,
            group,
            instance,
            seq,
        });
    }

    /// Hands frames to the transport and replies to their sessions.
    pub(super) fn pass_on(&mut self) {
        for (to, frames) in &mut self.frames {
            if !frames.is_empty() {
                let frames = std::mem::take(frames);
                self.wiring
                    .transport
                    .push(TransportCommand::Send { to: *to, frames });
            }
        }
        // The framework's own writes have no session; what fails is tried again by whoever wants it.
        for reply in self
            .replies
            .remove(&super::control::NO_SESSION)
            .into_iter()
            .flatten()
        {
            if let Outcome::Failed(error) = reply.outcome {
                tracing::warn!(group = %reply.group, %error, "A write of the node itself failed");
                *self.counters.entry("internal-write-failed").or_default() += 1;
            }
        }
        self.traces.answered(self.replies.values().flatten());
        for (session, replies) in &mut self.replies {
            if !replies.is_empty() {
                self.wiring
                    .sessions
                    .deliver(*session, std::mem::take(replies));
            }
        }
        if self.replies.len() > 1024 {
            self.replies.retain(|_, replies| !replies.is_empty());
        }
    }
}

/// Writes that clients may count on were taken back: somebody should know at once.
fn warn_discarded(group: GroupId, keyspace: &str, count: &Telemetry) {
    let writes = count.value;
    tracing::warn!(
        %group,
        keyspace,
        writes,
        what = count.name,
        "Writes were discarded, because another leader took over without them: see `repertoire discarded`"
    );
}
