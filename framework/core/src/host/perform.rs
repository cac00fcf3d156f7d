//! Carrying out the effects that stay inside a host, and passing on the rest.

use super::inline::Inline;
use super::output::pass_on;
use super::reads::ReadPoint;
use super::{Host, Job, JobResult};
use crate::sabotage::{Bug, planted};
use crate::{
    Admission, DISCARDS, Durability, Error, ErrorKind, Fate, GroupLogOp, Input, LogOp, Machine,
    Now, Outcome, Position, ReadQuery, ReadVerdict, Reply, RowDigest, SnapshotOrder, Space,
    StateDigest, Ticket,
};

impl<M: Machine> Host<M> {
    /// Performs one round of effects. Returns whether that gave the machine or the pipeline
    /// something new to do.
    pub(super) fn perform(&mut self, now: Now) -> bool {
        self.perform_admission();
        self.perform_log();
        if let Some(frontier) = self.fx.frontier.take() {
            self.frontier = frontier;
        }
        let mut busy = false;
        let entries = std::mem::take(&mut self.fx.apply);
        if !entries.is_empty() {
            let job = self.dispatch_apply(entries);
            if planted(Bug::HandedCountsAsApplied) {
                self.pipeline.applied(self.applied.lsn);
            }
            busy |= self.dispatch(now, job);
        }
        busy |= self.run_inline(now);
        pass_on(&mut self.fx.sends, &mut self.out.sends);
        busy |= self.perform_fates();
        busy |= self.perform_reads(now);
        busy |= self.fetch(now);
        busy |= self.admit_waiting(now);
        busy |= self.release_durable(now);
        pass_on(&mut self.fx.log_reads, &mut self.out.log_reads);
        pass_on(&mut self.fx.resolves, &mut self.out.resolves);
        pass_on(&mut self.fx.timers, &mut self.out.timers);
        let is_fetch = |order: &SnapshotOrder| matches!(order, SnapshotOrder::Fetch { .. });
        self.awaits_snapshot |= self.fx.snapshots.iter().any(is_fetch);
        pass_on(&mut self.fx.snapshots, &mut self.out.snapshots);
        pass_on(&mut self.fx.telemetry, &mut self.out.telemetry);
        busy
    }

    /// Returns whether a proposal was refused.
    fn perform_fates(&mut self) -> bool {
        if self.fx.fates.is_empty() {
            return false;
        }
        let mut busy = false;
        let mut fates = std::mem::take(&mut self.fx.fates);
        for fate in fates.drain(..) {
            busy |= matches!(fate, Fate::Refused { .. });
            self.pipeline.settle(fate);
        }
        self.fx.fates = fates;
        busy
    }

    /// Has the engine fetch what evaluations want. Returns whether it answered at once.
    pub(super) fn fetch(&mut self, now: Now) -> bool {
        let mut busy = false;
        if !self.pipeline.has_fetches() {
            return busy;
        }
        for fetch in self.pipeline.take_fetches() {
            let job = Job::Fetch {
                ticket: fetch.ticket,
                keys: fetch.keys,
            };
            busy |= self.dispatch(now, job);
        }
        busy
    }

    fn perform_admission(&mut self) {
        let Some(admission) = self.fx.admission.take() else {
            return;
        };
        if self.admission.orders() && !admission.orders() {
            let leader = match admission {
                Admission::Closed { leader } => leader,
                Admission::Open | Admission::Paused | Admission::Wait => None,
            };
            let error = Error::not_leader(leader, "write").with("group", self.group);
            self.pipeline.stood_down(&error);
        }
        self.admission = admission;
    }

    fn perform_log(&mut self) {
        self.out.log_seq = self.fx.last_log_seq();
        self.admitted = 0;
        if self.fx.log.is_empty() {
            return;
        }
        let disk = self.descriptor.options.durability == Durability::Disk;
        for op in self.fx.log.drain(..) {
            let sync = match &op {
                // The journal of discarded writes is no part of the history.
                LogOp::Append { stream, .. } | LogOp::Reset { stream, .. }
                    if *stream == DISCARDS =>
                {
                    disk
                }
                LogOp::Append { entry, .. } => {
                    self.pipeline.saw_wall(entry.wall);
                    if self.admission.orders() {
                        self.pipeline.appended(entry);
                    }
                    self.pace.logged(entry.encoded_len() as u64);
                    disk
                }
                LogOp::Truncate { .. } | LogOp::Reset { .. } => {
                    self.pace.truncated();
                    disk
                }
                LogOp::HardState(_) | LogOp::Repaired => true,
                LogOp::Checkpoint { .. } => false,
            };
            self.out.log.push(GroupLogOp {
                group: self.group,
                sync,
                op,
            });
        }
    }

    fn admit_waiting(&mut self, now: Now) -> bool {
        if self.admissible == 0 || !self.admits_more() {
            return false;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        while self.admissible > 0
            && let Some(request) = waiting.pop_front()
        {
            self.submit(now, request);
            if !self.waiting.is_empty() {
                break;
            }
        }
        self.waiting.append(&mut waiting);
        true
    }

    pub(super) fn is_stopped_by_checkpoint(&self) -> bool {
        self.admission == Admission::Open && self.is_held_up()
    }

    /// Tells the protocol what a checkpoint held back.
    fn release_durable(&mut self, now: Now) -> bool {
        let Some(seq) = self.held_durable.take() else {
            return false;
        };
        self.durable(now, seq);
        self.held_durable.is_none()
    }

    fn perform_verdicts(&mut self) {
        if self.fx.reads.is_empty() {
            return;
        }
        let mut verdicts = std::mem::take(&mut self.fx.reads);
        for verdict in verdicts.drain(..) {
            match verdict {
                ReadVerdict::ServeAt { ticket, at } => self.reads.park(ticket, at),
                ReadVerdict::Refused { ticket, error } => {
                    if let Some(request) = self.reads.close(ticket) {
                        self.reply_failed(request.reply_to, *error);
                    }
                }
            }
        }
        self.fx.reads = verdicts;
    }

    fn perform_reads(&mut self, now: Now) -> bool {
        self.perform_verdicts();
        let mut busy = false;
        while let Some(ticket) = self.reads.next_ready(self.applied.lsn) {
            let Some(request) = self.reads.get(ticket) else {
                continue;
            };
            let query = request.query.clone();
            let kept = if query == ReadQuery::Digest {
                self.replicated_digest()
            } else {
                StateDigest::default()
            };
            let position = self.applied;
            self.reads.asked(ticket, ReadPoint { position, kept });
            let wall = now.wall;
            let job = Job::Query {
                ticket,
                query,
                wall,
            };
            busy |= self.dispatch(now, job);
        }
        busy
    }

    /// Passes a job on, or executes it in place as far as the turn's share goes. Returns whether
    /// something was answered at once.
    pub(super) fn dispatch(&mut self, now: Now, job: Job) -> bool {
        let Some(inline) = &mut self.inline else {
            self.out.jobs.push(job);
            return false;
        };
        if let Job::Fetch { .. } = job {
            let result = inline.run_now(job);
            self.take_result(now, result);
            return true;
        }
        inline.push(job);
        self.run_inline(now)
    }

    fn run_inline(&mut self, now: Now) -> bool {
        let mut busy = false;
        while let Some(result) = self.inline.as_mut().and_then(Inline::run_next) {
            self.take_result(now, result);
            busy = true;
        }
        busy
    }

    pub(super) fn take_result(&mut self, now: Now, result: JobResult) {
        match result {
            JobResult::Applied(position) => {
                self.backlog.applied(position.lsn);
                self.pipeline.applied(position.lsn);
                self.machine
                    .step(now, Input::Applied(position.lsn), &mut self.fx);
            }
            JobResult::Fetched { ticket, cells } => {
                self.pipeline.fetched(now, ticket, cells, &self.dedup);
            }
            JobResult::Answered { ticket, answer } => self.answer(ticket, answer),
            JobResult::Snapshot { rows, more } => self.take_snapshot_rows(rows, more),
            JobResult::Done => {}
            JobResult::Failed { detail } => {
                let error = Error::new(ErrorKind::StorageFailed, "apply").with("detail", detail);
                self.abandon(&error);
                self.failed = Some(error);
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<crate::Answer, crate::EngineError>) {
        let Some(point) = self.reads.answered(ticket) else {
            return;
        };
        let Some(request) = self.reads.close(ticket) else {
            return;
        };
        let position = Position::Entry(point.position);
        let outcome = match answer {
            Ok(crate::Answer::Digest(rows)) if request.query == ReadQuery::Digest => {
                let mut digest = point.kept;
                digest.add(RowDigest(rows));
                Outcome::Answered {
                    position,
                    answer: crate::Answer::Digest(digest.0),
                }
            }
            Ok(answer) => Outcome::Answered { position, answer },
            Err(error) => {
                let error = Error::new(ErrorKind::StorageFailed, "read").with("detail", error);
                Outcome::Failed(Box::new(error))
            }
        };
        self.out.replies.push(Reply {
            group: self.group,
            to: request.reply_to,
            outcome,
        });
    }

    /// The digest of what the host itself keeps of the replicated space.
    fn replicated_digest(&self) -> StateDigest {
        let mut digest = StateDigest::default();
        self.dedup.export(&mut |key, value| {
            digest.add(RowDigest::of(Space::Replicated, key, value));
        });
        digest.add(RowDigest::of(
            Space::Replicated,
            b"\0frontier",
            &self.frontier,
        ));
        digest
    }
}
