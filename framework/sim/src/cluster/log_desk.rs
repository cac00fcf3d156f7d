//! The log's own thread: one burst at a time, one sync for all groups of the node.

use repertoire_core::{DISCARDS, EntryKind, Error, ErrorKind, LogOp, LogSlice, LogStore};
use repertoire_storage_faulty::Fault as DiskFault;

use super::event::LogAnswer;
use super::{Event, Undo, World};
use crate::cast::Cast;
use crate::clock::{MICRO, MILLI, Nanos};
use crate::fault::kind::{Fault, Shape};
use crate::sometimes::Situation;

/// A vote, or the first entry of a leadership: what must not be said before it is durable.
fn decides_leadership(op: &LogOp) -> bool {
    match op {
        LogOp::Append { entry, .. } => entry.kind == EntryKind::Barrier,
        LogOp::HardState(_) => true,
        LogOp::Truncate { .. }
        | LogOp::Reset { .. }
        | LogOp::Checkpoint { .. }
        | LogOp::Repaired => false,
    }
}

/// Whether the operation concerns the journal of discarded writes, and not the history.
pub(super) fn is_of_journal(op: &LogOp) -> bool {
    matches!(
        op,
        LogOp::Append { stream, .. } | LogOp::Reset { stream, .. } if *stream == DISCARDS
    )
}

impl<C: Cast> World<'_, C> {
    /// Writes what waits, unless a burst is under way; then answers reads.
    pub(crate) fn turn_log(&mut self, n: usize) {
        let log = &self.nodes[n].log;
        if log.is_busy || (log.queue.is_empty() && log.reads.is_empty()) {
            return;
        }
        if !log.queue.is_empty() && !self.write_burst(n) {
            return;
        }
        self.read_log(n);
    }

    /// Returns whether the burst was written.
    fn write_burst(&mut self, n: usize) -> bool {
        let node = &mut self.nodes[n];
        let boot = node.boot;
        let event = |node: usize| Event::LogDone {
            node: node as u8,
            boot,
        };
        let Some(store) = &mut node.log.store else {
            return false;
        };
        let written = store.write(&node.log.queue);
        let struck = store.disk_mut().take_struck();
        let is_struck = self.note_struck(n, &struck);
        let node = &mut self.nodes[n];
        match written {
            Ok(()) => node.log.is_doubtful |= is_struck,
            Err(error) if *error.kind() == ErrorKind::StorageFull => {
                node.log.is_full = true;
                node.log.is_busy = true;
                let retry = Event::LogRetry {
                    node: n as u8,
                    boot,
                };
                self.agenda.after(3 * MILLI, retry);
                return false;
            }
            Err(error) => {
                // Any part of the burst may be there: its operations may be found, and may not.
                self.note_written(n);
                self.log_failed(n, is_struck, &error);
                return false;
            }
        }
        if std::mem::take(&mut node.log.is_full) {
            self.reached.note(Situation::WroteAfterFull);
        }
        let log = &mut node.log;
        log.needs_sync = log.queue.iter().any(|op| op.sync);
        let decides = log.queue.iter().any(|op| decides_leadership(&op.op));
        self.note_written(n);
        let log = &mut self.nodes[n].log;
        log.told.append(&mut log.marks);
        log.is_busy = true;
        if decides {
            self.may_lose_power_again(n);
        }
        let span = self.disk_time(n);
        self.agenda.after(span, event(n));
        true
    }

    /// Takes the burst over into what the harness knows of each log.
    fn note_written(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        for op in node.log.queue.drain(..) {
            // Keyspaces are numbered from one in the order of the plan.
            let g = op.group.keyspace.0 as usize - 1;
            if !is_of_journal(&op.op) {
                node.replicas[g].log.write(&op.op);
            }
        }
    }

    /// Power that failed once may fail again in the middle of recovery: here the disk hangs over a vote
    /// or the first entry of a leadership, which peers could hear of meanwhile.
    fn may_lose_power_again(&mut self, n: usize) {
        let faults = &self.net.faults;
        let is_on = faults.has(Fault::PowerLoss) && faults.has(Fault::SlowDisk);
        if is_on && self.nodes[n].lost_power && self.rng.one_in(3) {
            let at = self.time() + self.rng.between(100, 6000) * MICRO;
            self.nodes[n].stalled_until = at + MILLI;
            let slot = self.plan_undo(Undo::Cut(n));
            self.agenda.at(at, Event::Undo(slot));
        }
    }

    /// How long the burst takes.
    fn disk_time(&mut self, n: usize) -> Nanos {
        let (time, disk) = (self.time(), self.plan.disk);
        let node = &self.nodes[n];
        let mut mean = disk.write;
        if node.log.needs_sync {
            mean += disk.sync;
        }
        if node.slow_disk_until > time {
            mean *= 20;
        }
        let stall = node.stalled_until.saturating_sub(time);
        stall + mean / 2 + self.rng.exponential(mean / 2)
    }

    pub(crate) fn on_log_done(&mut self, n: usize) {
        let now = self.now(n);
        let node = &mut self.nodes[n];
        node.log.is_busy = false;
        if node.log.needs_sync && !self.sync_log(n) {
            return;
        }
        let node = &mut self.nodes[n];
        let mut told = std::mem::take(&mut node.log.told);
        for (group, seq) in told.drain(..) {
            let g = usize::from(group);
            self.trace.note(6, (n as u64) << 8 | g as u64, seq.0);
            if let Some(host) = &mut self.nodes[n].replicas[g].host {
                host.durable(now, seq);
                self.touched(n, g);
            }
        }
        // A crash in the middle of it takes the node's desk away.
        if self.nodes[n].log.told.is_empty() {
            self.nodes[n].log.told = told;
        }
        self.turn_log(n);
    }

    /// Returns whether the node goes on.
    fn sync_log(&mut self, n: usize) -> bool {
        let node = &mut self.nodes[n];
        let Some(store) = &mut node.log.store else {
            return false;
        };
        let synced = store.sync();
        let struck = store.disk_mut().take_struck();
        // Whether all of it is on stable storage, the disk says, and not the log.
        let is_synced = store.disk().inner().is_synced();
        let is_struck = self.note_struck(n, &struck);
        if let Err(error) = synced {
            self.log_failed(n, is_struck, &error);
            return false;
        }
        let node = &mut self.nodes[n];
        node.log.is_doubtful |= is_struck;
        if is_synced && !node.log.is_doubtful {
            for replica in &mut node.replicas {
                replica.log.sync();
                replica.discards.sync();
            }
        }
        true
    }

    /// Counts faults of a disk that happened. Returns whether there were any.
    fn note_struck(&mut self, n: usize, struck: &[DiskFault]) -> bool {
        for fault in struck {
            self.trace.note(21, n as u64, self.time());
            self.tally.count(match fault {
                DiskFault::FailSync { .. } => Shape::FailedSync,
                DiskFault::TearWrite { .. } => Shape::TornWrite,
                _ => Shape::FailedWrite,
            });
        }
        !struck.is_empty()
    }

    /// The log refuses to go on. When its disk has failed, that is what it must do: the node stops, and
    /// what was not synced is anyone's guess.
    fn log_failed(&mut self, n: usize, is_struck: bool, error: &Error) {
        if is_struck {
            self.reached.note(Situation::StoppedWithItsDisk);
            self.crash_for_a_while(n, true);
        } else {
            self.findings
                .add("A8.log", || format!("node {n}: the log failed: {error}"));
        }
    }

    fn read_log(&mut self, n: usize) {
        let reads = std::mem::take(&mut self.nodes[n].log.reads);
        for (group, read) in reads {
            let g = usize::from(group);
            let id = self.plan.groups[g].id;
            let node = &mut self.nodes[n];
            let boot = node.boot;
            let Some(store) = &mut node.log.store else {
                return;
            };
            let found = store.read(id, read.stream, read.from, read.bytes_max);
            let slice = match found {
                Ok(slice) => slice,
                // A start finds the damage, and says so.
                Err(_) if node.is_rotting => return self.crash_for_a_while(n, false),
                Err(error) => {
                    self.findings.add("A8.log", || {
                        format!(
                            "node {n}, keyspace {g}: reading from {} failed: {error}",
                            read.from
                        )
                    });
                    return;
                }
            };
            if matches!(slice, LogSlice::Trimmed { .. }) {
                self.reached.note(Situation::TrimmedPastFollower);
            }
            let slot = self.log_answers.put(LogAnswer {
                node: n as u8,
                group,
                boot,
                ticket: read.ticket,
                slice,
            });
            let span = self.plan.disk.write + self.rng.exponential(self.plan.disk.write);
            self.agenda.after(span, Event::LogAnswer(slot));
        }
    }

    pub(crate) fn on_log_answer(&mut self, slot: u32) {
        let Some(answer) = self.log_answers.take(slot) else {
            return;
        };
        let (n, g) = (usize::from(answer.node), usize::from(answer.group));
        if !self.nodes[n].is_up || self.nodes[n].boot != answer.boot {
            return;
        }
        let now = self.now(n);
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            host.log_read(now, answer.ticket, answer.slice);
            self.touched(n, g);
        }
    }
}
