//! What happens at boot, and when the boot's epoch has become durable.

use std::collections::VecDeque;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Acks, Boot, Effects, Entry, EntryId, EntryKind, EpochHistory, Error, ErrorKind, FormatTag,
    LogOp, LogSeq, Now, Wall,
};

use crate::state::{HardState, STREAM, State};
use crate::{Message, Standalone};

impl Standalone {
    /// Starts from what the disk holds: everything in the log is applied again, because it was
    /// acknowledged or may have been.
    ///
    /// Every boot begins an epoch of its own. A log that lost its unsynced tail gives the same LSN
    /// out again, and the epoch tells the two records apart.
    pub(crate) fn recover(boot: &Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        if boot.log.damaged {
            return Err(corrupted(
                boot,
                "the log is damaged and there is no other copy",
            ));
        }
        let stream = boot.log.streams.get(&STREAM).cloned().unwrap_or_default();
        let old = decode_hard_state(boot)?;
        let history = decode_frontier(boot)?;
        let epoch = old.epoch.max(stream.last.epoch);
        let reused = planted(Bug::EpochReusedAfterRestart) && epoch.0 > 0;
        let hard = HardState {
            epoch: if reused { epoch } else { epoch.next() },
        };
        let mut state = State {
            me: boot.me,
            durability: boot.descriptor.options.durability,
            epoch: hard.epoch,
            epoch_seq: fx.log(LogOp::HardState(hard.encode())),
            durable_seq: LogSeq(0),
            last: stream.last,
            wall: boot.tail.last().map_or(Wall(0), |entry| entry.wall),
            durable: stream.last.lsn,
            applied: boot.applied.lsn,
            snapshot: stream.checkpoint.lsn.min(boot.applied.lsn),
            history,
            pending: VecDeque::new(),
        };
        if state.applied > state.last.lsn {
            // The engine's snapshot survived, the log behind it did not: go on after the snapshot.
            let base = EntryId::new(state.history.epoch_at(state.applied), state.applied);
            fx.log(LogOp::Reset {
                stream: STREAM,
                base,
            });
            (state.last, state.durable) = (base, base.lsn);
        }
        for entry in boot
            .tail
            .iter()
            .filter(|entry| entry.first > boot.applied.lsn)
        {
            if entry.first != state.applied.next() {
                return Err(corrupted(boot, "the log does not reach back to the engine"));
            }
            state.apply(entry.clone(), fx);
        }
        if state.applied != state.last.lsn {
            return Err(corrupted(boot, "the log's tail is missing"));
        }
        Ok(Self {
            state,
            waiting: VecDeque::new(),
            barrier: None,
        })
    }

    /// The epoch is durable: marks its beginning in the log, and places what has waited for it.
    pub(crate) fn begin_epoch(&mut self, now: Now, fx: &mut Effects<Message>) {
        let barrier = Entry {
            epoch: self.state.epoch,
            first: self.state.last.lsn.next(),
            count: 1,
            wall: now.wall.max(self.state.wall),
            kind: EntryKind::Barrier,
            format: FormatTag::default(),
            acks: Acks::Async,
            body: bytes::Bytes::new(),
        };
        self.state.append(barrier, None, fx);
        for proposal in std::mem::take(&mut self.waiting) {
            self.place(proposal, fx);
        }
    }
}

fn decode_hard_state(boot: &Boot<'_>) -> Result<HardState, Error> {
    if boot.hard_state().is_empty() {
        return Ok(HardState::default());
    }
    postcard::from_bytes(boot.hard_state())
        .map_err(|_| corrupted(boot, "the hard state does not decode"))
}

/// The epochs of what the engine holds. The driver stores the frontier with the first entry of the
/// batch that brought it, so it may name an epoch that begins later.
fn decode_frontier(boot: &Boot<'_>) -> Result<EpochHistory, Error> {
    if boot.applied.frontier.is_empty() {
        return Ok(EpochHistory::default());
    }
    let mut history: EpochHistory = postcard::from_bytes(&boot.applied.frontier)
        .map_err(|_| corrupted(boot, "the frontier does not decode"))?;
    history.truncate(boot.applied.lsn);
    Ok(history)
}

fn corrupted(boot: &Boot<'_>, detail: &str) -> Error {
    Error::new(ErrorKind::Corrupted, "boot a standalone replica")
        .with("keyspace", &boot.descriptor.name)
        .with("group", boot.group)
        .with("detail", detail)
}
