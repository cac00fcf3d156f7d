//! Carrying out what a replica wants done, in the order of its lanes.

use std::sync::PoisonError;

use repertoire_core::{Host, HostOutput, LogOp, Outcome, PeerEvent, Position, Reply, TimerOrder};

use super::event::{Parcel, ReplyOut};
use super::log_desk::is_of_journal;
use super::{Event, Said, World};
use crate::cast::Cast;
use crate::client::{Ask, Book};
use crate::clock::{MILLI, Nanos};
use crate::fault::kind::{Fault, Shape};
use crate::invariants::durable_ack::{self, Copy};
use crate::invariants::log_matching::Place;
use crate::invariants::{discarded, membership, order, prefix_reads};
use crate::plan::node_index;
use crate::sometimes::Situation;
use crate::watch::Content;
use crate::watch::discards::records;

/// Messages of one sender kept to be heard again.
const RECORDED_MAX: usize = 32;
/// How many of them are heard again when a node starts.
const REPLAYED: usize = 12;

impl<C: Cast> World<'_, C> {
    /// Ends a batch of inputs of one replica and carries out what comes of it.
    pub(crate) fn flush(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let Some(host) = &mut replica.host else {
            return;
        };
        host.flush(now);
        // A flush within this one finds none here and makes one of its own.
        let mut out = self.scratch.take().unwrap_or_default();
        host.output().append_to(&mut out);
        self.absorb_tape(n, g);
        self.inspect(n, g);
        // Before and after: what became visible may be trimmed in the same breath.
        self.note_members(n, g);
        self.perform_log(n, g, &mut out);
        let replica = &mut self.nodes[n].replicas[g];
        replica.applied = replica.host.as_ref().map_or(0, |host| host.applied().lsn.0);
        self.note_members(n, g);
        self.perform_lanes(n, g, &mut out);
        self.scratch = Some(out);
        self.turn_log(n);
        self.look_after(n, g);
        let host = self.nodes[n].replicas[g].host.as_ref();
        if host.is_some_and(Host::has_more) {
            self.flush_later(n, g);
        }
    }

    /// Carries out all lanes but the log's. Most of them are empty most of the time.
    /// Notes the changes of the members that this replica has applied.
    fn note_members(&mut self, n: usize, g: usize) {
        if !self.plan.groups[g].churns() {
            return;
        }
        let replica = &self.nodes[n].replicas[g];
        let Some(host) = &replica.host else { return };
        let changes = &mut self.known[g].changes;
        changes.note_visible(&replica.ordered, host.applied().lsn.0);
    }

    fn perform_lanes(&mut self, n: usize, g: usize, out: &mut HostOutput<Said<C>>) {
        if !out.jobs.is_empty() {
            self.nodes[n].replicas[g].jobs.extend(out.jobs.drain(..));
            self.turn_engine(n, g);
        }
        if !out.sends.is_empty() {
            self.perform_sends(n, g, out);
        }
        if !out.replies.is_empty() {
            for reply in out.replies.drain(..) {
                self.perform_reply(n, g, reply);
            }
        }
        if !out.log_reads.is_empty() {
            let reads = out.log_reads.drain(..).map(|read| (g as u8, read));
            self.nodes[n].log.reads.extend(reads);
        }
        if !out.timers.is_empty() {
            for timer in out.timers.drain(..) {
                self.perform_timer(n, g, timer);
            }
        }
        if !out.snapshots.is_empty() {
            self.perform_snapshot_orders(n, g, &mut out.snapshots);
        }
        if !out.pieces.is_empty() {
            self.perform_pieces(n, g, &mut out.pieces);
        }
        for event in out.telemetry.drain(..) {
            self.note_election(n, g, event);
        }
        out.resolves.clear();
    }

    /// Compares what reached the engine with what reached the other engines.
    pub(crate) fn absorb_tape(&mut self, n: usize, g: usize) {
        let replica = &mut self.nodes[n].replicas[g];
        let mut tape = replica.tape.lock().unwrap_or_else(PoisonError::into_inner);
        if tape.records.is_empty() {
            return;
        }
        let canon = &mut self.known[g].canon;
        // What another replica has applied in the meantime is known already.
        tape.known = tape.known.max(canon.end());
        canon.absorb(n, g, &mut replica.place, &mut tape, &mut self.findings);
        let foreign = std::mem::take(&mut tape.foreign_key);
        self.findings.require(!foreign, "A6.isolation", || {
            format!("node {n}, keyspace {g}: a key that no client uses was changed")
        });
    }

    fn perform_log(&mut self, n: usize, g: usize, out: &mut HostOutput<Said<C>>) {
        if out.log.is_empty() {
            return;
        }
        let at = Place { node: n, group: g };
        let node = &mut self.nodes[n];
        let replica = &mut node.replicas[g];
        // What was applied before this batch: within it, cutting back comes before applying.
        let (applied, epoch) = (replica.applied, replica.progress.epoch());
        for op in out.log.drain(..) {
            let missing = replica.discards.write(&op.op);
            discarded::judge_order(at, missing, &mut self.findings);
            if is_of_journal(&op.op) {
                self.reached.note(Situation::WriteDiscarded);
                node.log.queue.push(op);
                continue;
            }
            if let LogOp::Append { entry, .. } = &op.op {
                self.known[g].records.extend(records(entry));
            }
            let log = &mut self.known[g].log;
            let ordered = &replica.ordered;
            log.judge(at, &op.op, ordered, (applied, epoch), &mut self.findings);
            if let LogOp::Append { entry, .. } = &op.op {
                let known = &mut self.known[g];
                let own = replica.host.as_ref().map_or(0, |host| host.applied().lsn.0);
                let visible = known.canon.end().max(own);
                let findings = &mut self.findings;
                known.changes.judge(at, entry, ordered, visible, findings);
            }
            match &op.op {
                LogOp::Truncate { last, .. } if last.0 < replica.ordered.last() => {
                    self.reached.note(Situation::SuffixTruncated);
                }
                LogOp::Checkpoint { upto, .. } => {
                    let durable = replica.snapshot_lsn();
                    order::judge_checkpoint(at, upto.lsn.0, durable, &mut self.findings);
                    self.reached.note(Situation::LogTrimmed);
                }
                _ => {}
            }
            replica.ordered.apply(&op.op);
            node.log.queue.push(op);
        }
        self.trace
            .note(3, (n as u64) << 8 | g as u64, replica.ordered.last());
        match node
            .log
            .marks
            .iter_mut()
            .find(|mark| usize::from(mark.0) == g)
        {
            Some(mark) => mark.1 = out.log_seq,
            None => node.log.marks.push((g as u8, out.log_seq)),
        }
    }

    fn perform_sends(&mut self, n: usize, g: usize, out: &mut HostOutput<Said<C>>) {
        let time = self.time();
        for (peer, message) in out.sends.drain(..) {
            let to = node_index(peer);
            let class = self.cast.class(&message);
            self.trace.note(
                4,
                (n as u64) << 16 | (to as u64) << 8 | g as u64,
                class as u64,
            );
            let delivery = self.net.send(time, n, to, class, &mut self.tally);
            if let Some(at) = delivery.writable_at {
                self.tell_link(n, to, PeerEvent::Writable, at - time);
            }
            let Some(first) = delivery.first else {
                continue;
            };
            let first = self.landing(n, to, first);
            let link = self.link(n, to);
            let parcel = |link, message| Parcel {
                from: n as u8,
                to: to as u8,
                group: g as u8,
                link,
                message,
            };
            if let Some(at) = delivery.second.map(|at| at.max(first)) {
                let slot = self.parcels.put(parcel(Some(link), message.clone()));
                self.agenda.at(at, Event::Message(slot));
            }
            let slot = self.parcels.put(parcel(Some(link), message));
            self.agenda.at(first, Event::Message(slot));
        }
    }

    /// Keeps some messages that were heard, to be heard again, late enough to meet another leadership now and then.
    pub(super) fn record(&mut self, parcel: Parcel<Said<C>>) {
        let recorded = &mut self.recorded[usize::from(parcel.from)];
        if self.net.happens(Shape::HeardLate, &mut self.tally) {
            let at = self.agenda.now() + self.rng.between(5, 1500) * MILLI;
            let slot = self.parcels.put(parcel);
            self.agenda.at(at, Event::Message(slot));
        } else if recorded.len() < RECORDED_MAX {
            recorded.push(parcel);
        } else if self.rng.one_in(4) {
            recorded[self.rng.index(RECORDED_MAX)] = parcel;
        }
    }

    /// A node started again: some of what was said before is heard once more, mostly what its former
    /// self said.
    pub(crate) fn replay_recorded(&mut self, n: usize) {
        if !self.net.faults.has(Fault::Duplicate) {
            return;
        }
        for _ in 0..REPLAYED {
            let other = self.rng.index(self.nodes.len());
            let from = if self.rng.one_in(4) { other } else { n };
            if self.recorded[from].is_empty() {
                continue;
            }
            let parcel = self.rng.pick(&self.recorded[from]).clone();
            let at = self.time() + self.rng.between(1, 300) * MILLI;
            let slot = self.parcels.put(parcel);
            self.agenda.at(at, Event::Message(slot));
            self.tally.count(Shape::HeardLate);
        }
    }

    fn perform_timer(&mut self, n: usize, g: usize, order: TimerOrder) {
        let node = &mut self.nodes[n];
        let at = order.at.map_or(Nanos::MAX, |mono| node.clock.when(mono));
        let timers = &mut node.replicas[g].timers;
        let slot = match timers.iter().position(|timer| timer.key == order.key) {
            Some(slot) => slot,
            None => {
                timers.push(super::node::TimerSlot {
                    key: order.key,
                    at: Nanos::MAX,
                    planned: Nanos::MAX,
                });
                timers.len() - 1
            }
        };
        let timer = &mut timers[slot];
        timer.at = at;
        // A planned event that comes earlier moves itself along when it comes.
        if at < timer.planned {
            timer.planned = at;
            let event = Event::Timer {
                node: n as u8,
                group: g as u8,
                slot: slot as u8,
                boot: node.boot,
            };
            self.agenda.at(at, event);
        }
    }

    /// Judges a reply at the moment it is given, and sends it to its client.
    fn perform_reply(&mut self, n: usize, g: usize, reply: Reply) {
        let Some((number, attempt)) = Book::parse(reply.to) else {
            self.take_rest_digest(n, g, &reply.outcome);
            return;
        };
        self.judge_reply(n, g, number, &reply.outcome);
        let code = match &reply.outcome {
            Outcome::Written { ack, .. } => ack.position.lsn.0,
            Outcome::Answered { .. } => 1,
            Outcome::Failed(error) => error.outcome() as u64 + 2,
        };
        self.trace.note(5, reply.to.request, code);
        self.send_reply(number, attempt, n, reply.outcome);
    }

    /// Sends a reply to its client.
    pub(super) fn send_reply(&mut self, op: u32, attempt: u8, n: usize, outcome: Outcome) {
        if self.net.happens(Shape::LostOfClient, &mut self.tally) {
            return;
        }
        let slot = self.replies.put(ReplyOut {
            op,
            attempt,
            node: n as u8,
            outcome,
        });
        let latency = self.net.client_latency();
        self.agenda.after(latency, Event::Reply(slot));
    }

    fn judge_reply(&mut self, n: usize, g: usize, number: u32, outcome: &Outcome) {
        let op = &self.book.ops[number as usize];
        self.findings.require(op.group == g, "A6.isolation", || {
            format!(
                "node {n}, keyspace {g} answers {:?} of keyspace {}",
                op.ask, op.group
            )
        });
        match outcome {
            Outcome::Written { ack, .. } => {
                let group = &self.plan.groups[g];
                let acks = op.acks.unwrap_or(group.descriptor.options.acks);
                let view = self.nodes[n].replicas[g].host.as_ref();
                let view = view.filter(|_| group.churns()).and_then(Host::members);
                let promised = match &view {
                    Some(view) => membership::promised(acks, view),
                    None => acks.copies(group.members.len()),
                };
                let copies = self.nodes.iter().map(|node| {
                    let replica = &node.replicas[g];
                    Copy {
                        written: &replica.log.written,
                        durable: &replica.log.durable,
                        rotten: &replica.log.rotten,
                    }
                });
                durable_ack::judge(g, ack, promised, copies, &mut self.findings);
                if let Some(view) = view {
                    let at = Place { node: n, group: g };
                    let holds = |node: u64| {
                        let log = &self.nodes[node as usize - 1].replicas[g].log;
                        log.durable.holds(ack.position) || log.rotten.holds(ack.position)
                    };
                    let findings = &mut self.findings;
                    let needed = membership::protecting(acks, &view);
                    membership::judge_ack(at, ack.position, needed, &view, holds, findings);
                }
            }
            Outcome::Answered { position, answer } => {
                let Position::Entry(position) = *position else {
                    return;
                };
                match (answer, op.ask) {
                    (repertoire_core::Answer::Value(value), Ask::Get { key, .. }) => {
                        let content = |value: &bytes::Bytes| Content::of_value(key, value);
                        let seen = value.as_ref().map_or(Content::Absent, content);
                        let at = Place { node: n, group: g };
                        let canon = &self.known[g].canon;
                        prefix_reads::judge(at, key, position, seen, canon, &mut self.findings);
                    }
                    (repertoire_core::Answer::Digest(digest), _) => {
                        let digests = &mut self.known[g].digests;
                        let lsn = position.lsn.0;
                        if digests.judge(n, g, lsn, *digest, &mut self.findings) {
                            self.reached.note(Situation::DigestsComparedUnderLoad);
                        }
                    }
                    _ => {}
                }
            }
            Outcome::Failed(_) => {}
        }
    }

    /// After a batch: has the engine failed, is a checkpoint due, does a snapshot go on?
    fn look_after(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let Some(host) = &mut replica.host else {
            return;
        };
        if let Some(error) = host.failure() {
            self.findings
                .add("A8.engine", || format!("node {n}, keyspace {g}: {error}"));
            return;
        }
        if host.is_checkpoint_due() {
            host.begin_snapshot(now, repertoire_log_formats::row::ROW_TAG);
            self.touched(n, g);
        } else if host.is_snapshotting() {
            self.plan_snapshot_step(n, g);
        }
    }
}
