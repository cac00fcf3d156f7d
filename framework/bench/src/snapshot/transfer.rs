//! Following one transfer, and killing its receiver on the way.

use std::time::{Duration, Instant};

use repertoire_core::{Error, ErrorKind};
use serde_json::Value;

use super::{LEADER, RECEIVER, SnapshotReport, Stall, leader_mb};
use crate::target::processes::Processes;

/// How often the nodes are asked.
const EVERY: Duration = Duration::from_millis(20);

/// How long the receiver, which may just have been killed, may take to answer.
const ANSWER: Duration = Duration::from_millis(300);

/// What the receiver says of its transfer.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    expected: u64,
    resumed_from: u64,
    received: u64,
    /// On the receiver's disk.
    stored: u64,
}

impl Progress {
    fn of(status: &Value) -> Self {
        let part = status.get("snapshot");
        let number = |name: &str| part.and_then(|p| p.get(name)?.as_u64()).unwrap_or(0);
        Self {
            expected: number("chunks_expected"),
            resumed_from: number("resumed_from"),
            received: number("chunks_received"),
            stored: number("chunks_stored"),
        }
    }

    /// Chunks that arrived, and that the receiver had before. More than all, if some came twice.
    const fn sent(self) -> u64 {
        self.resumed_from + self.received
    }
}

/// Notes the leader's longest turns for a while.
pub(super) async fn watch(
    nodes: &Processes,
    span: Duration,
    stall: &mut Stall,
) -> Result<(), Error> {
    nodes.status(LEADER).await?;
    let end = Instant::now() + span;
    while Instant::now() < end {
        tokio::time::sleep(EVERY).await;
        stall.note(&nodes.status(LEADER).await?);
    }
    Ok(())
}

pub(super) struct Transfer<'a> {
    nodes: &'a mut Processes,
    kills_left: u64,
    kills: u64,
    base_mb: f64,
    /// What had arrived when the receiver was killed last, until it has told where it resumed.
    before_kill: Option<u64>,
}

impl<'a> Transfer<'a> {
    /// Starts the receiver.
    pub(super) async fn new(nodes: &'a mut Processes, kills: u64) -> Result<Self, Error> {
        let base_mb = leader_mb(nodes);
        // Asking also begins a new measurement of the longest turn.
        nodes.status(LEADER).await?;
        nodes.restart(RECEIVER)?;
        Ok(Self {
            nodes,
            kills_left: kills,
            kills,
            base_mb,
            before_kill: None,
        })
    }

    /// Follows the transfer to its end.
    pub(super) async fn until_received(
        &mut self,
        report: &mut SnapshotReport,
        deadline: Instant,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        loop {
            if Instant::now() >= deadline {
                return Err(Error::new(ErrorKind::Timeout, "receive a snapshot")
                    .with("chunks", report.chunks)
                    .with("kills", report.kills));
            }
            let progress = self.look(report).await;
            let all = progress.expected;
            if all == 0 {
                continue;
            }
            report.chunks = all;
            self.check(progress, report);
            let steps_done = self.kills - self.kills_left + 1;
            if self.kills_left > 0 && progress.stored * (self.kills + 1) >= all * steps_done {
                self.kills_left -= 1;
                self.before_kill = Some(progress.stored);
                self.nodes.kill(RECEIVER);
                self.nodes.restart(RECEIVER)?;
                report.kills += 1;
            } else if progress.stored >= all {
                report.transfer_seconds = begin.elapsed().as_secs_f64();
                return Ok(());
            }
        }
    }

    /// Goes on looking until then.
    pub(super) async fn until(
        &mut self,
        report: &mut SnapshotReport,
        end: Instant,
    ) -> Result<(), Error> {
        while Instant::now() < end {
            self.look(report).await;
        }
        Ok(())
    }

    /// Compares what a resumed transfer has with what had arrived before.
    fn check(&mut self, progress: Progress, report: &mut SnapshotReport) {
        if let Some(before) = self.before_kill.take() {
            let lost = before.saturating_sub(progress.resumed_from);
            report.chunks_lost_by_a_kill = report.chunks_lost_by_a_kill.max(lost);
        }
        let too_many = progress.sent().saturating_sub(progress.expected);
        report.chunks_too_many = report.chunks_too_many.max(too_many);
    }

    async fn look(&self, report: &mut SnapshotReport) -> Progress {
        tokio::time::sleep(EVERY).await;
        if let Ok(leader) = self.nodes.status(LEADER).await {
            report.leader_stall.note(&leader);
        }
        let extra = leader_mb(self.nodes) - self.base_mb;
        report.leader_extra_mb = report.leader_extra_mb.max(extra);
        // While it is down there is nothing to see.
        let asked = tokio::time::timeout(ANSWER, self.nodes.status(RECEIVER)).await;
        let Ok(Ok(receiver)) = asked else {
            return Progress::default();
        };
        report.receiver_stall.note(&receiver);
        Progress::of(&receiver)
    }
}
