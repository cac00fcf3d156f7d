//! An engine that is called in place, and what waits for it: no turn does more than its share, so
//! that whoever drives the host can see to others in between.

use std::collections::VecDeque;

use super::{Executor, Job, JobResult, ReplayedEntry};
use crate::StorageEngine;

/// Work of one turn, a few milliseconds: records applied, or KiB read and written.
const SHARE: usize = 1024;

/// Bytes that are as much work as a record.
const BYTES_PER_UNIT: usize = 1024;

/// See the module's documentation. Jobs are done in order, but for fetches: what the engine lacks
/// for them the pipeline knows.
pub(super) struct Inline {
    executor: Executor,
    jobs: VecDeque<Job>,
    share: usize,
    left: usize,
}

impl Inline {
    /// What the first turn finds is done in that turn: nobody is served before.
    pub(super) const fn new(executor: Executor) -> Self {
        Self {
            executor,
            jobs: VecDeque::new(),
            share: SHARE,
            left: usize::MAX,
        }
    }

    pub(super) const fn set_share(&mut self, records: usize) {
        self.share = records;
        self.left = records;
    }

    pub(super) fn engine(&self) -> &dyn StorageEngine {
        self.executor.engine()
    }

    /// Puts another engine in its place, which was never asked anything. Returns the old one.
    pub(super) fn replace(&mut self, engine: Box<dyn StorageEngine>) -> Box<dyn StorageEngine> {
        self.jobs.clear();
        self.executor.replace(engine)
    }

    pub(super) fn run_now(&mut self, job: Job) -> JobResult {
        self.executor.run(job)
    }

    /// Adds a job, in parts if it is more than a turn's share.
    pub(super) fn push(&mut self, job: Job) {
        let Job::Apply(entries) = job else {
            return self.jobs.push_back(job);
        };
        let mut part = Vec::new();
        let mut work = 0;
        for entry in entries {
            work += work_of(&entry);
            part.push(entry);
            if work >= self.share {
                self.jobs.push_back(Job::Apply(std::mem::take(&mut part)));
                work = 0;
            }
        }
        if !part.is_empty() {
            self.jobs.push_back(Job::Apply(part));
        }
    }

    /// Does the next job, if there is one and the turn's share is not used up.
    pub(super) fn run_next(&mut self) -> Option<JobResult> {
        if self.left == 0 {
            return None;
        }
        let job = self.jobs.pop_front()?;
        let work = match &job {
            Job::Apply(entries) => entries.iter().map(work_of).sum(),
            Job::SnapshotRead(bytes) => bytes / BYTES_PER_UNIT,
            Job::Fetch { .. } | Job::Query { .. } => 1,
            Job::SnapshotBegin | Job::SnapshotAbort => 0,
        };
        self.left = self.left.saturating_sub(work);
        Some(self.executor.run(job))
    }

    /// The next turn has its own share.
    pub(super) const fn end_turn(&mut self) {
        self.left = self.share;
    }

    pub(super) fn has_more(&self) -> bool {
        !self.jobs.is_empty()
    }
}

fn work_of(replayed: &ReplayedEntry) -> usize {
    let entry = &replayed.entry;
    entry.count as usize + entry.body.len() / BYTES_PER_UNIT
}
