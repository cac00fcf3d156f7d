//! What happens at boot, and how snapshots enter and leave the log.

use bytes::Bytes;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Boot, DISCARDS, Effects, Entry, EntryId, EpochHistory, Error, ErrorKind, Incarnation, Journal,
    LeaderEpoch, LogOp, Lsn, MemberRole, Membership, Mono, Now, RecoveredStream, Wall,
};

use crate::amnesia::{Amnesia, Recovery};
use crate::discards::discard_abandoned;
use crate::election::Election;
use crate::following::Following;
use crate::leading::Leading;
use crate::local_log::{Extent, LocalLog, STREAM};
use crate::membership::decode_frontier;
use crate::plugin::Timer;
use crate::replica::{Part, SingleLeader};
use crate::roll::{Logged, Roll};
use crate::state::{HardState, Origin, State};
use crate::window::Window;
use crate::{Config, Message};

impl SingleLeader {
    /// Starts a replica from what its disk holds.
    pub(crate) fn recover(boot: Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        let config = Config::of(&boot.descriptor)?;
        let shard = boot.group.shard;
        let elects = config.failover.takes_votes();
        let leads = config.leader_of(&boot.descriptor, shard) == Some(boot.me);
        let found = Found::read(&boot)?;
        let mut log = found.local_log(&boot, config.cache_bytes);
        let own = Own::of(&boot, log.roll());
        let votes = elects && own.votes;
        let join = found.join(&boot);
        let is_damaged = boot.log.damaged || join == Join::Gap;
        let is_alone = votes && log.roll().current().voters().count() == 1;
        if is_damaged {
            refuse_if_irreplaceable(&boot, leads, is_alone)?;
        }
        let mut hard = found.hard;
        if elects && is_damaged && (own.votes || !own.is_founder || log.roll().is_logged()) {
            hard.amnesia = Amnesia::Unknown;
            // Before the log is mended: then nothing else shows any more that there was damage.
            fx.log(LogOp::HardState(hard.encode()));
        }
        let is_empty = found.stream.last == EntryId::ZERO;
        let is_fresh = hard == HardState::default() && is_empty;
        let is_newcomer = elects && is_fresh && !own.is_founder;
        let has_forgotten = matches!(hard.amnesia, Amnesia::Unknown | Amnesia::Bounded);
        let recovers = votes && !is_alone && (is_fresh && !is_newcomer || has_forgotten);
        let journal = found.journal(&boot, join, is_damaged, fx);
        found.mend(&boot, join, is_damaged, &mut log, fx);
        let now = boot.now;
        let origin = Origin {
            group: boot.group,
            me: boot.me,
            config,
            incarnation: boot.incarnation,
            // A seed may repeat when a process counts its boots from one again; the clocks do not.
            boot: boot.seed ^ now.mono.0.rotate_left(32) ^ now.wall.0,
            hard,
            applied: boot.applied.lsn,
            snapshot: found.stream.checkpoint.lsn.min(boot.applied.lsn),
            visible_history: found.visible,
            journal,
            now,
            descriptor: boot.descriptor,
        };
        let seed = boot.seed;
        let mut state = State::new(origin, log);
        let is_unbound = matches!(state.hard.amnesia, Amnesia::None | Amnesia::Unknown);
        state.is_blank = !is_damaged && is_empty && is_unbound && recovers;
        state.unproven = match () {
            () if is_newcomer => Amnesia::Newcomer,
            () if recovers && is_fresh => Amnesia::Unknown,
            () => Amnesia::None,
        };
        let election = elects.then(|| {
            let mut election = Election::new(now.mono, seed, &state);
            election.recovery = recovers.then(Recovery::default);
            election
        });
        // A replica that was fenced by a leader it has not met since does not lead on its own; see
        // `on_fenced`.
        let was_fenced = state.hard.epoch.0 > 0 && state.hard.leader.is_none();
        let mut replica = Self {
            state,
            part: Part::Following(Following::default()),
            election,
        };
        if elects || !leads || was_fenced {
            replica.begin_elections(now.mono, fx);
        } else {
            replica.lead_as_named(now.mono, fx);
        }
        Ok(replica)
    }

    /// Begins the leadership of the replica that the descriptor names.
    fn lead_as_named(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let state = &mut self.state;
        let reuses = planted(Bug::EpochReusedAfterRestart) && state.hard.epoch.0 > 0;
        let epoch = if reuses {
            state.hard.epoch
        } else {
            state.hard.epoch.next()
        };
        state.establish(HardState::of(epoch, Some(state.me)), fx);
        fx.set_timer_in(Timer::Heartbeat, now, state.config.heartbeat());
        self.part = Part::Leading(Leading::of(now, state));
    }

    /// The engine's state was replaced by a snapshot of the leader.
    ///
    /// As a rule the log is replaced too: it goes on after the snapshot. When the log holds what
    /// follows the snapshot, it stays, and is applied again from there: its entries may have been
    /// acknowledged, and a copy that was counted is not given up.
    pub(crate) fn on_snapshot_installed(
        &mut self,
        now: Now,
        position: EntryId,
        frontier: &Bytes,
        fx: &mut Effects<Message>,
    ) {
        self.stand_down(now.mono, fx);
        let forgotten = planted(Bug::SnapshotForgetsFrontier);
        let history = decode_frontier(frontier, position.lsn).filter(|_| !forgotten);
        if history.is_none() {
            fx.count("frontier-malformed", position.lsn.0);
        }
        let state = &mut self.state;
        let is_readable = history.is_some();
        let (history, logged) = history.unwrap_or_default();
        state.visible_history = history;
        // Below an earlier checkpoint the log may be trimmed.
        let is_kept = position.lsn >= state.snapshot && state.log.goes_on_after(position);
        if is_kept {
            let (stream, upto) = (STREAM, position);
            fx.log(LogOp::Checkpoint { stream, upto });
        } else {
            if is_readable {
                let (history, visible) = (state.visible_history.clone(), state.applied);
                state.discard_replaced(position, &history, visible, fx);
            }
            let history = (state.visible_history.clone(), logged);
            state.log.reset(position, history, fx);
            // Whatever was acknowledged before is as good as lost by a crash; see `Standing`.
            state.boot = state.boot.wrapping_add(1);
        }
        state.applied = position.lsn;
        state.engine_applied = position.lsn;
        state.snapshot = position.lsn;
        state.settle_members(fx);
        if position.epoch > state.hard.epoch {
            // A voter that does not know which leaders are over obeys none, and may be sent this.
            state.adopt(position.epoch, None, fx);
        }
        // How far this log matches the leader's is found out anew by its next message.
        self.part = Part::Following(Following::default());
        fx.clear_timer(Timer::Fetch);
        fx.count("snapshot-installed", position.lsn.0);
        self.decide_held(now.mono, fx);
    }

    /// A durable snapshot covers everything up to `position`: the log may be trimmed.
    pub(crate) fn on_checkpointed(&mut self, position: EntryId, fx: &mut Effects<Message>) {
        let state = &mut self.state;
        if !state.log.contains(position) || position.lsn > state.applied {
            // Made before another history was installed.
            fx.count("checkpoint-outdated", position.lsn.0);
            return;
        }
        state.snapshot = state.snapshot.max(position.lsn);
        let mut upto = position;
        if planted(Bug::CheckpointTooFar) {
            let next = state.log.window().entry_end(position.lsn.next());
            upto = state.log.id_at(next.unwrap_or(position.lsn));
        }
        let stream = STREAM;
        fx.log(LogOp::Checkpoint { stream, upto });
    }
}

/// How the log and the engine's state fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// Replaying the log onto the engine leaves no hole.
    Overlap,
    /// The engine's snapshot survived, and the unsynced log behind it did not: neither its entries, nor
    /// that the snapshot took their place.
    EngineAhead,
    /// Records between the engine's state and the log's entries are missing: damage.
    Gap,
}

/// What the disk held, decoded.
#[derive(Debug)]
struct Found {
    hard: HardState,
    stream: RecoveredStream,
    /// The epochs of what the engine holds.
    visible: EpochHistory,
    /// The members that it knows.
    members: Vec<Logged>,
}

/// What this replica is in its group, as far as its disk and its descriptor say.
#[derive(Clone, Copy, Debug)]
struct Own {
    votes: bool,
    /// It is a member under its name alone: not told from another disk with that name.
    is_founder: bool,
}

impl Own {
    fn of(boot: &Boot<'_>, roll: &Roll) -> Self {
        let member = roll.current().member(boot.me);
        let is_meant = |disk: Option<Incarnation>| disk.is_none_or(|disk| disk == boot.incarnation);
        let votes = member.filter(|m| m.role == MemberRole::Voter && is_meant(m.incarnation));
        Self {
            votes: votes.is_some(),
            is_founder: member.is_some_and(|member| member.incarnation.is_none()),
        }
    }
}

impl Found {
    fn read(boot: &Boot<'_>) -> Result<Self, Error> {
        let hard = HardState::decode(boot.hard_state())
            .ok_or_else(|| corrupted(boot, "the hard state does not decode"))?;
        let (visible, members) = decode_frontier(&boot.applied.frontier, boot.applied.lsn)
            .ok_or_else(|| corrupted(boot, "the frontier does not decode"))?;
        let stream = boot.log.streams.get(&STREAM).cloned().unwrap_or_default();
        // The hard state is always synced before an entry carries its epoch. When it is older all the
        // same it was lost to damage, and with it who leads; what is left tells how far it went at least.
        let epoch = hard.epoch.max(stream.last.epoch).max(newest(&visible));
        let leader = hard.leader.filter(|_| epoch == hard.epoch);
        Ok(Self {
            hard: HardState {
                epoch,
                leader,
                vote: hard.vote.filter(|_| epoch == hard.epoch),
                amnesia: hard.amnesia,
                settled: hard.settled,
            },
            stream,
            visible,
            members,
        })
    }

    fn join(&self, boot: &Boot<'_>) -> Join {
        let (applied, last) = (boot.applied.lsn, self.stream.last.lsn);
        if applied > last {
            return Join::EngineAhead;
        }
        // A snapshot has replaced what the log holds, and the power failed before the log was told.
        let newest = newest(&self.visible);
        let is_replaced = |entry: &Entry| entry.first > applied && entry.epoch < newest;
        // It may end at the very position.
        let is_other = applied == last && self.stream.last.epoch < newest && !boot.tail.is_empty();
        if is_other || boot.tail.iter().any(is_replaced) {
            return Join::EngineAhead;
        }
        let reaches_engine = match boot.tail.first() {
            Some(first) => first.first <= applied.next(),
            None => applied == last,
        };
        let reaches_end = boot
            .tail
            .last()
            .is_none_or(|entry| entry.last() == self.stream.last);
        let follows = |pair: &[Entry]| match pair {
            [a, b] => b.first == a.last_lsn().next() && b.epoch >= a.epoch,
            _ => true,
        };
        let is_whole = boot.tail.windows(2).all(follows);
        if self.stream.base.lsn <= applied && reaches_engine && reaches_end && is_whole {
            Join::Overlap
        } else {
            Join::Gap
        }
    }

    /// The discarded writes; with those that the log is about to lose because a snapshot has taken its
    /// place. What is lost to damage was not discarded: others hold it.
    fn journal(
        &self,
        boot: &Boot<'_>,
        join: Join,
        is_damaged: bool,
        fx: &mut Effects<Message>,
    ) -> Journal {
        let extent = boot.log.streams.get(&DISCARDS);
        let last = extent.map_or(Lsn::ZERO, |extent| extent.last.lsn);
        let mut journal = Journal::recover(last, &boot.discards);
        if is_damaged {
            journal.rewrite(fx);
        } else if join == Join::EngineAhead {
            let history = (&self.visible, boot.applied.lsn);
            discard_abandoned(&mut journal, &boot.tail, history, fx);
        }
        journal
    }

    /// Leaves no hole in the log.
    fn mend(
        &self,
        boot: &Boot<'_>,
        join: Join,
        is_damaged: bool,
        log: &mut LocalLog,
        fx: &mut Effects<Message>,
    ) {
        let applied = boot.applied.lsn;
        let base = EntryId::new(self.visible.epoch_at(applied), applied);
        if join != Join::Overlap {
            // The engine's state is all there is; the log goes on after it.
            log.reset(base, (self.visible.clone(), self.members.clone()), fx);
            fx.count("log-abandoned", applied.0);
        } else if is_damaged {
            // What is whole is written again, behind the engine's state.
            log.reset(base, (self.visible.clone(), self.members.clone()), fx);
            let news = boot.tail.iter().filter(|entry| entry.first > applied);
            news.for_each(|entry| log.append(entry.clone(), fx));
        }
    }

    fn local_log(&self, boot: &Boot<'_>, cache_bytes: u32) -> LocalLog {
        let mut window = Window::new(cache_bytes.into());
        let mut history = self.visible.clone();
        let founders = Membership::founders(boot.descriptor.replicas(boot.group.shard));
        let mut roll = Roll::new(founders, self.members.clone());
        if self.join(boot) == Join::Overlap {
            for entry in &boot.tail {
                if entry.first > boot.applied.lsn {
                    history.note(entry.epoch, entry.first);
                    roll.append(entry);
                }
                window.push(entry.clone());
            }
        }
        LocalLog::recovered(Extent {
            durability: boot.descriptor.options.durability,
            base: self.stream.base,
            last: self.stream.last,
            wall: boot.tail.last().map_or(Wall(0), |entry| entry.wall),
            history,
            roll,
            window,
        })
    }
}

/// The last leadership of a history.
fn newest(history: &EpochHistory) -> LeaderEpoch {
    let start = history.starts().last();
    start.map(|start| start.0).unwrap_or_default()
}

/// Refuses to boot on a damaged log where nobody else could say what is missing.
fn refuse_if_irreplaceable(boot: &Boot<'_>, leads: bool, is_alone: bool) -> Result<(), Error> {
    if leads {
        return Err(corrupted(boot, "the leader's log is damaged").with(
            "remedy",
            "appoint another replica in `leader`; this one is then repaired from it",
        ));
    }
    if is_alone {
        return Err(corrupted(boot, "the only copy's log is damaged")
            .with("remedy", "restore the node's data folder from a backup"));
    }
    Ok(())
}

fn corrupted(boot: &Boot<'_>, detail: &str) -> Error {
    Error::new(ErrorKind::Corrupted, "boot a single-leader replica")
        .with("keyspace", &boot.descriptor.name)
        .with("group", boot.group)
        .with("detail", detail)
}
