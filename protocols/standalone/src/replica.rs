//! The replica: which input goes where.

use std::collections::VecDeque;

use repertoire_core::{Admission, Effects, Input, LogOp, LogSeq, Lsn, Now, Proposal};

use crate::state::{STREAM, State};
use crate::{Message, replication};

/// A keyspace's shard on one node, without copies elsewhere.
///
/// A write is appended to the log, and once the log is durable it is applied and acknowledged.
#[derive(Debug)]
pub struct Standalone {
    pub(crate) state: State,
    /// Proposals that arrived before this boot's epoch was durable.
    pub(crate) waiting: VecDeque<Proposal>,
    /// The last record from before writes are taken, until the engine has it.
    pub(crate) barrier: Option<Lsn>,
}

impl Standalone {
    pub(crate) fn on_input(
        &mut self,
        now: Now,
        input: Input<'_, Message>,
        fx: &mut Effects<Message>,
    ) {
        match input {
            Input::Propose(proposals) => self.on_propose(proposals, fx),
            Input::Read { ticket, level } => self.on_read(ticket, level, fx),
            Input::Message { message, .. } => replication::on_message(message),
            Input::Durable(seq) => self.on_durable(now, seq, fx),
            Input::Checkpointed(upto) => {
                self.state.snapshot = self.state.snapshot.max(upto.lsn);
                let stream = STREAM;
                fx.log(LogOp::Checkpoint { stream, upto });
            }
            Input::Applied(lsn) => self.on_applied(lsn, fx),
            // Nobody reads this log but recovery, nobody resolves, nobody is near.
            Input::Timer(_)
            | Input::LogRead { .. }
            | Input::Resolved { .. }
            | Input::Peer { .. }
            | Input::SnapshotSent { .. }
            | Input::SnapshotInstalled { .. }
            | Input::Descriptor(_) => {}
        }
    }

    /// Takes writes once the engine holds everything from before this boot: then the dedup table is
    /// complete and evaluations see all of the past.
    fn on_applied(&mut self, lsn: Lsn, fx: &mut Effects<Message>) {
        if self.barrier.take_if(|barrier| *barrier <= lsn).is_some() {
            fx.admission = Some(Admission::Open);
        }
    }

    fn on_durable(&mut self, now: Now, seq: LogSeq, fx: &mut Effects<Message>) {
        let was_established = self.state.is_established();
        self.state.durable_seq = self.state.durable_seq.max(seq);
        if !was_established && self.state.is_established() {
            self.begin_epoch(now, fx);
            self.barrier = Some(self.state.last.lsn);
        }
    }
}
