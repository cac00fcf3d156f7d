//! What a replica keeps in memory, whether it leads or follows.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Acks, Admission, Descriptor, Effects, EntryKind, EpochHistory, Error, ErrorKind, GroupId,
    Incarnation, Journal, LeaderEpoch, LogOp, LogSeq, Lsn, NodeId, Now,
};

use crate::amnesia::Amnesia;
use crate::config::Failover;
use crate::local_log::LocalLog;
use crate::read_path::HeldReads;
use crate::roll::BATCH_MAX;
use crate::{Config, Message};

/// What must survive a power cut whatever the keyspace's durability: the newest leadership that
/// this replica knows of, whose it is, and whom it voted for (Raft's term and vote).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    /// The newest epoch seen.
    pub(crate) epoch: LeaderEpoch,
    /// Who leads in it. `None`: nobody has won yet, or this replica was fenced and has not heard by
    /// whom; it does not lead again on its own.
    pub(crate) leader: Option<NodeId>,
    /// Who has this replica's vote in it.
    pub(crate) vote: Option<NodeId>,
    /// What this replica may have promised besides.
    pub(crate) amnesia: Amnesia,
    /// Changes of the members up to here cannot be taken back.
    pub(crate) settled: Lsn,
}

/// The first version, which had no elections.
#[derive(Deserialize)]
struct HardStateV1 {
    epoch: LeaderEpoch,
    leader: Option<NodeId>,
}

/// The second version, in which no voter recovered.
#[derive(Deserialize)]
struct HardStateV2 {
    epoch: LeaderEpoch,
    leader: Option<NodeId>,
    vote: Option<NodeId>,
}

/// The third version, in which members never changed.
#[derive(Deserialize)]
struct HardStateV3 {
    epoch: LeaderEpoch,
    leader: Option<NodeId>,
    vote: Option<NodeId>,
    amnesia: Amnesia,
}

impl HardState {
    /// Reads what [`encode`](Self::encode) wrote; empty bytes are a fresh disk.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (version, rest) = bytes.split_first()?;
        match version {
            1 => {
                let old: HardStateV1 = postcard::from_bytes(rest).ok()?;
                Some(Self::of(old.epoch, old.leader))
            }
            2 => {
                let HardStateV2 {
                    epoch,
                    leader,
                    vote,
                } = postcard::from_bytes(rest).ok()?;
                let old = Self::of(epoch, leader);
                Some(Self { vote, ..old })
            }
            3 => {
                let HardStateV3 {
                    epoch,
                    leader,
                    vote,
                    amnesia,
                } = postcard::from_bytes(rest).ok()?;
                let old = Self::of(epoch, leader);
                Some(Self {
                    vote,
                    amnesia,
                    ..old
                })
            }
            4 => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }

    /// A leadership, in which this replica has voted for nobody.
    pub(crate) fn of(epoch: LeaderEpoch, leader: Option<NodeId>) -> Self {
        Self {
            epoch,
            leader,
            ..Self::default()
        }
    }

    /// `version u8 | postcard`.
    pub(crate) fn encode(self) -> Bytes {
        // Serialising a flat struct into a growing vector has no failure path.
        let mut bytes = vec![4];
        bytes.extend(postcard::to_stdvec(&self).unwrap_or_default());
        bytes.into()
    }
}

/// What a replica keeps in memory, whether it leads or follows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) group: GroupId,
    pub(crate) me: NodeId,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) config: Config,
    /// This node's disk.
    pub(crate) incarnation: Incarnation,
    /// Drawn anew at each boot.
    pub(crate) boot: u64,
    pub(crate) hard: HardState,
    /// The disk was empty, and the group may be older than it: whatever is written down first says
    /// what may be forgotten, for the disk is not empty any more after that.
    pub(crate) unproven: Amnesia,
    /// The log was empty when the replica started, and nothing is damaged: this disk has never taken
    /// part.
    pub(crate) is_blank: bool,
    /// The newest leadership that knows this replica by its disk.
    pub(crate) welcomed: LeaderEpoch,
    /// The log operation that wrote the hard state.
    hard_seq: LogSeq,
    durable_seq: LogSeq,
    pub(crate) log: LocalLog,
    /// What of the log another leadership took back.
    pub(crate) journal: Journal,
    /// Visible: whole entries, all of them handed to the engine.
    pub(crate) applied: Lsn,
    /// What the engine has reported as applied.
    pub(crate) engine_applied: Lsn,
    /// Covered by a durable snapshot.
    pub(crate) snapshot: Lsn,
    /// The epochs of everything visible: the frontier. The log's own history may go on.
    pub(crate) visible_history: EpochHistory,
    pub(crate) held: HeldReads,
    /// Where leaders are elected: the leader has been silent for so long that this replica asked for
    /// votes, or its link is down.
    pub(crate) is_leader_silent: bool,
    /// What the driver was told last about taking writes.
    pub(crate) admission: Option<Admission>,
    /// The end of the last batch, for those who look at the replica in between.
    pub(crate) now: Now,
}

/// What a state starts from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) group: GroupId,
    pub(crate) me: NodeId,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) config: Config,
    pub(crate) incarnation: Incarnation,
    pub(crate) boot: u64,
    pub(crate) hard: HardState,
    pub(crate) applied: Lsn,
    pub(crate) snapshot: Lsn,
    pub(crate) visible_history: EpochHistory,
    pub(crate) journal: Journal,
    pub(crate) now: Now,
}

impl State {
    pub(crate) fn new(origin: Origin, log: LocalLog) -> Self {
        Self {
            group: origin.group,
            me: origin.me,
            descriptor: origin.descriptor,
            config: origin.config,
            incarnation: origin.incarnation,
            boot: origin.boot,
            hard: origin.hard,
            unproven: Amnesia::None,
            is_blank: false,
            welcomed: LeaderEpoch::NONE,
            hard_seq: LogSeq(0),
            durable_seq: LogSeq(0),
            log,
            journal: origin.journal,
            applied: origin.applied,
            engine_applied: origin.applied,
            snapshot: origin.snapshot,
            visible_history: origin.visible_history,
            held: HeldReads::default(),
            is_leader_silent: false,
            admission: None,
            now: origin.now,
        }
    }

    /// Who leads, as far as this replica knows: where it sends those who ask.
    /// Nowhere, rather than to one that is silent and may be gone.
    pub(crate) fn leader_hint(&self) -> Option<NodeId> {
        if self.is_leader_silent {
            return None;
        }
        let configured = || self.config.leader_of(&self.descriptor, self.group.shard);
        self.hard
            .leader
            .or_else(configured)
            .filter(|leader| *leader != self.me)
    }

    /// Whether this replica is the one that leads a new group.
    pub(crate) fn is_first(&self) -> bool {
        self.config.first_of(&self.descriptor, self.group.shard) == Some(self.me)
    }

    /// Whether this replica asks for votes when it misses a leader: each one where leaders are elected,
    /// and only the one that was appointed last where they are appointed.
    pub(crate) fn may_campaign(&self) -> bool {
        let hard = &self.hard;
        let is_appointed = || {
            let is_new = hard.epoch == LeaderEpoch(0) && self.is_first();
            is_new || hard.leader.or(hard.vote) == Some(self.me)
        };
        match self.config.failover {
            Failover::Manual => false,
            Failover::Appoint => is_appointed() || planted(Bug::AppointedElect),
            Failover::Elect => true,
        }
    }

    /// A redirect to the leader.
    pub(crate) fn not_leader(&self, operation: &str) -> Error {
        let error = Error::not_leader(self.leader_hint(), operation);
        error
            .with("group", self.group)
            .with("epoch", self.hard.epoch.0)
    }

    /// A failure that names the group.
    pub(crate) fn error(&self, kind: ErrorKind, operation: &str) -> Error {
        Error::new(kind, operation).with("group", self.group)
    }

    /// Writes a new hard state down. Nothing may be said in its name before
    /// [`is_established`](Self::is_established).
    pub(crate) fn establish(&mut self, mut hard: HardState, fx: &mut Effects<Message>) {
        assert!(hard.epoch >= self.hard.epoch, "epochs never go back");
        if hard.amnesia == Amnesia::None {
            hard.amnesia = self.unproven;
        }
        hard.settled = hard.settled.max(self.hard.settled);
        self.hard = hard;
        self.hard_seq = fx.log(LogOp::HardState(hard.encode()));
    }

    /// Learns of a leadership, by its leader or by others. A vote is kept for its epoch.
    pub(crate) fn adopt(
        &mut self,
        epoch: LeaderEpoch,
        leader: Option<NodeId>,
        fx: &mut Effects<Message>,
    ) {
        let hard = HardState {
            epoch,
            leader,
            vote: self.hard.vote.filter(|_| epoch == self.hard.epoch),
            amnesia: self.hard.amnesia,
            settled: self.hard.settled,
        };
        self.establish(hard, fx);
    }

    /// Whether the hard state is on stable storage.
    pub(crate) fn is_established(&self) -> bool {
        self.durable_seq >= self.hard_seq
    }

    /// Every log operation up to `seq` is durable.
    pub(crate) fn on_durable(&mut self, seq: LogSeq) {
        self.durable_seq = self.durable_seq.max(seq);
        self.log.on_durable(seq);
    }

    /// What the first entry of a leadership waits for on its own account. An elected leader shows with
    /// it that it can serve the keyspace.
    pub(crate) fn barrier_acks(&self) -> Option<Acks> {
        self.config
            .failover
            .takes_votes()
            .then_some(self.descriptor.options.acks)
    }

    /// Makes whole entries up to `upto` visible: hands them to the engine, in order, with the
    /// frontier when one of them begins an epoch.
    pub(crate) fn apply_upto(&mut self, upto: Lsn, fx: &mut Effects<Message>) {
        if upto <= self.applied {
            return;
        }
        let mut begins_epoch = false;
        let mut changes = 0;
        for entry in self
            .log
            .window()
            .from(self.applied.next())
            .into_iter()
            .flatten()
        {
            if entry.last_lsn() > upto || changes == BATCH_MAX {
                break;
            }
            changes += usize::from(entry.kind == EntryKind::Config);
            assert_eq!(entry.first, self.applied.next(), "entries apply in order");
            self.applied = entry.last_lsn();
            if self.visible_history.starts().last().map(|start| start.0) != Some(entry.epoch) {
                self.visible_history.note(entry.epoch, entry.first);
                begins_epoch = true;
            }
            self.journal.applied(entry, fx);
            fx.apply.push(entry.clone());
        }
        if changes > 0 {
            self.settle_members(fx);
        }
        if begins_epoch || changes > 0 {
            fx.frontier = Some(self.frontier());
        }
        self.log.evict(self.applied);
    }

    /// Asserts what must hold between any two inputs: `snapshot ≤ applied = commit ≤ last`.
    pub(crate) fn check(&self) {
        assert!(
            self.snapshot <= self.applied,
            "a snapshot covers visible state"
        );
        assert!(
            self.engine_applied <= self.applied,
            "the engine applies what is visible"
        );
        assert!(
            self.applied <= self.log.last().lsn,
            "what is visible is in the log"
        );
        assert!(
            self.applied == self.log.last().lsn || {
                let next = self.log.window().first();
                next.is_some_and(|first| first <= self.applied.next())
            },
            "what must still be applied is in memory"
        );
        assert!(
            self.log.last().epoch <= self.hard.epoch,
            "no entry is newer than its leader"
        );
        self.log.check();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_state_is_read_in_all_versions() {
        let state = HardState {
            epoch: LeaderEpoch(3),
            leader: None,
            vote: Some(NodeId(2)),
            amnesia: Amnesia::Bounded,
            settled: Lsn(9),
        };
        let bytes = state.encode();
        assert_eq!(bytes.as_ref(), [4, 3, 0, 1, 2, 2, 9]);
        assert_eq!(HardState::decode(&bytes), Some(state));
        let state = HardState {
            settled: Lsn(0),
            ..state
        };
        let before = Bytes::from_static(&[3, 3, 0, 1, 2, 2]);
        assert_eq!(HardState::decode(&before), Some(state));
        let before = Bytes::from_static(&[2, 3, 0, 1, 2]);
        let expected = HardState {
            amnesia: Amnesia::None,
            ..state
        };
        assert_eq!(HardState::decode(&before), Some(expected));
        let before = Bytes::from_static(&[1, 3, 1, 2]);
        let expected = HardState::of(LeaderEpoch(3), Some(NodeId(2)));
        assert_eq!(HardState::decode(&before), Some(expected));
        assert_eq!(HardState::decode(&Bytes::from_static(&[9, 3])), None);
    }
}
