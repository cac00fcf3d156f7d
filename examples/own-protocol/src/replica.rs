//! The replica: what it keeps, and which input goes where.

use std::collections::BTreeMap;

use repertoire_core::{
    Boot, Capabilities, Descriptor, Effects, EntryId, Error, GroupId, Input, LogOp, Lsn, Now,
    PeerEvent, Protocol, Role, Scope, Status, TimerKey,
};

use crate::config::{self, Place};
use crate::head::Heading;
use crate::links::{Downstream, Upstream};
use crate::log::{Log, STREAM};
use crate::reads::HeldReads;
use crate::{Config, Message, NAME};

/// One replica of a chain: the head orders writes, each passes them on, the tail commits them.
#[derive(Debug)]
pub struct Chain {
    pub(crate) group: GroupId,
    pub(crate) place: Place,
    pub(crate) config: Config,
    pub(crate) log: Log,
    /// The tail holds everything up to here durably, as far as this replica knows.
    pub(crate) through: EntryId,
    /// The head knows that, and has told its clients: everything up to here is committed.
    pub(crate) commit: EntryId,
    /// Everything up to here was handed to the engine.
    pub(crate) applied: Lsn,
    /// Everything up to here is in a durable snapshot.
    pub(crate) snapshot: Lsn,
    pub(crate) reads: HeldReads,
    /// What only the head keeps.
    pub(crate) heading: Option<Heading>,
    /// What all but the head keep of the link to their predecessor.
    pub(crate) upstream: Option<Upstream>,
    /// What all but the tail keep of the link to their successor.
    pub(crate) downstream: Option<Downstream>,
}

/// The timers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A replica asks its predecessor to go on, when it has heard nothing.
    Ask,
}

impl TimerKey for Timer {
    fn to_key(self) -> u64 {
        match self {
            Self::Ask => 1,
        }
    }

    fn from_key(key: u64) -> Option<Self> {
        (key == 1).then_some(Self::Ask)
    }
}

// ANCHOR: protocol
impl Protocol for Chain {
    const NAME: &'static str = NAME;
    const SCOPE: Scope = Scope::Shard;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;

    fn capabilities(_config: &Config) -> Capabilities {
        Capabilities {
            replicates: true,
            single_order: true,
            linearizable_reads: true,
            snapshots: true,
            ..Capabilities::default()
        }
    }

    fn validate(descriptor: &Descriptor) -> Result<(), Error> {
        config::validate(descriptor)
    }

    fn boot(boot: Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        Self::recover(&boot, fx)
    }

    fn step(&mut self, now: Now, input: Input<'_, Message>, fx: &mut Effects<Message>) {
        match input {
            Input::Propose(proposals) => self.on_propose(proposals, fx),
            Input::Read { ticket, level } => self.on_read(ticket, level, fx),
            Input::Message { from, message } => self.on_message(from, message, fx),
            Input::Durable(seq) => {
                self.log.on_durable(seq);
                self.begin_epoch(now, seq, fx);
            }
            Input::Applied(lsn) => self.open_for_writes(lsn, fx),
            Input::Timer(key) => self.on_timer(now, Timer::from_key(key), fx),
            Input::LogRead { ticket, slice } => self.on_log_read(ticket, slice, fx),
            // It may have missed something, or refused it for want of room.
            Input::Peer {
                peer,
                event: PeerEvent::Up | PeerEvent::Writable,
            } => {
                self.ask_again(peer);
            }
            Input::Checkpointed(upto) => self.on_checkpointed(upto, fx),
            Input::SnapshotInstalled { position, frontier } => {
                self.on_snapshot_installed(position, &frontier, fx);
            }
            // The chain is that of the boot: a new order takes a restart of all of its nodes.
            Input::Descriptor(descriptor) => fx.count("chain-is-fixed", descriptor.id.0.into()),
            // Whoever took a snapshot over asks for what follows. There are no conflicts.
            Input::Peer { .. } | Input::SnapshotSent { .. } | Input::Resolved { .. } => {}
        }
    }

    fn flush(&mut self, _now: Now, fx: &mut Effects<Message>) {
        self.advance(fx);
        self.report(fx);
        self.feed(fx);
        self.check();
    }

    fn inspect(&self) -> Status {
        let is_head = self.heading.is_some();
        Status {
            protocol: NAME.to_owned(),
            role: if is_head {
                Role::Leader
            } else {
                Role::Follower
            },
            leader: Some(self.place.head),
            epoch: self.epoch(),
            last: self.log.last,
            durable_lsn: self.log.durable,
            commit_lsn: self.applied,
            applied_lsn: self.applied,
            snapshot_lsn: self.snapshot,
            details: BTreeMap::from([("held_reads".to_owned(), self.reads.len() as u64)]),
        }
    }
}
// ANCHOR_END: protocol

impl Chain {
    /// Applies what is committed, acknowledges it, and decides the reads that waited for it.
    ///
    /// What the tail holds is safe, but it counts as committed once the head knows: were the tail to
    /// show it earlier, a client could read it there, and then miss it at the head.
    // ANCHOR: commit
    fn advance(&mut self, fx: &mut Effects<Message>) {
        let before = self.applied;
        if self.downstream.is_none() {
            self.through = self.log.id_at(self.log.durable);
        }
        if self.heading.is_some() && self.log.contains(self.through) {
            self.commit = self.through;
        }
        // While this log is mended, what is committed may be ahead of it.
        if self.log.contains(self.commit) {
            self.apply_upto(self.commit.lsn, fx);
        }
        #[cfg(test)]
        self.plant(fx);
        if self.applied != before {
            self.acknowledge(fx);
            self.decide_held(fx);
        }
    }
    // ANCHOR_END: commit

    #[cfg(test)]
    fn plant(&mut self, fx: &mut Effects<Message>) {
        use crate::planted::{Bug, is_planted};
        if is_planted(Bug::AckBeforeTail) {
            self.apply_upto(self.log.durable, fx);
        }
        if is_planted(Bug::ShownBeforeTheHead) && self.log.contains(self.through) {
            self.apply_upto(self.through.lsn, fx);
        }
    }

    /// Hands whole entries to the engine, in order; with them, when one begins an epoch, the
    /// protocol's own bytes: they are stored with the state, and come back with it at boot.
    fn apply_upto(&mut self, upto: Lsn, fx: &mut Effects<Message>) {
        let upto = upto.min(self.log.durable);
        let before = self.log.history.epoch_at(self.applied);
        while let Some(entry) = self.log.take_next(upto) {
            assert_eq!(entry.first, self.applied.next(), "entries apply in order");
            self.applied = entry.last_lsn();
            fx.apply.push(entry);
        }
        if self.log.history.epoch_at(self.applied) != before {
            let mut applied = self.log.history.clone();
            applied.truncate(self.applied);
            fx.frontier = postcard::to_stdvec(&applied).ok().map(Into::into);
        }
    }

    /// A durable snapshot covers everything up to `upto`. It covers what is committed only, which
    /// every replica of the chain holds: the log may forget it.
    fn on_checkpointed(&mut self, upto: EntryId, fx: &mut Effects<Message>) {
        if upto.lsn <= self.applied && self.log.contains(upto) {
            self.snapshot = self.snapshot.max(upto.lsn);
            let stream = STREAM;
            fx.log(LogOp::Checkpoint { stream, upto });
        }
    }

    /// Asserts what must hold between any two batches.
    fn check(&self) {
        assert!(
            self.snapshot <= self.applied,
            "snapshots hold what is applied"
        );
        assert!(
            self.applied <= self.log.durable,
            "what is applied is durable"
        );
        assert!(
            self.log.durable <= self.log.last.lsn,
            "what is durable exists"
        );
        assert!(self.log.last.epoch <= self.epoch(), "epochs never go back");
    }
}
