//! The replica: which input goes where.

use std::collections::VecDeque;

use repertoire_core::{Effects, Input, LogOp, LogSeq, Now, Proposal};

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
            // Nobody reads this log but recovery, nobody resolves, nobody is near.
            Input::Applied(_)
            | Input::Timer(_)
            | Input::LogRead { .. }
            | Input::Resolved { .. }
            | Input::Peer { .. }
            | Input::SnapshotSent { .. }
            | Input::SnapshotInstalled { .. }
            | Input::Descriptor(_) => {}
        }
    }

    fn on_durable(&mut self, now: Now, seq: LogSeq, fx: &mut Effects<Message>) {
        let was_established = self.state.is_established();
        self.state.durable_seq = self.state.durable_seq.max(seq);
        if !was_established && self.state.is_established() {
            self.begin_epoch(now, fx);
        }
    }
}
