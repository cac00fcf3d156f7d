//! What happens at boot, and when a snapshot takes the place of what a replica held.

use std::collections::VecDeque;

use bytes::Bytes;
use repertoire_core::{
    Admission, Boot, Effects, Entry, EntryId, EpochHistory, Error, ErrorKind, LeaderEpoch, LogOp,
    Lsn, Wall,
};

use crate::config::Place;
use crate::head::Heading;
use crate::links::{Downstream, Upstream};
use crate::log::{Log, STREAM};
use crate::reads::HeldReads;
use crate::{Chain, Config, Message, Timer};

impl Chain {
    /// Starts a replica from what its disk holds.
    // ANCHOR: boot
    pub(crate) fn recover(boot: &Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        let shard = boot.group.shard;
        let Some(place) = Place::of(&boot.descriptor, shard, boot.me) else {
            return Err(refuse(
                boot,
                ErrorKind::ConfigInvalid,
                "no replica is placed here",
            ));
        };
        let log = recover_log(boot, &place, fx)?;
        let heading = match place.predecessor {
            None => Some(Heading::begin(next_epoch(boot, &log)?, fx)),
            Some(_) => {
                let leader = Some(place.head);
                fx.admission = Some(Admission::Closed { leader });
                None
            }
        };
        let config = Config::of(&boot.descriptor)?;
        if heading.is_none() {
            fx.set_timer_in(Timer::Ask, boot.now.mono, config.ask_interval());
        }
        let stream = boot.log.streams.get(&STREAM);
        let checkpoint = stream.map_or(Lsn::ZERO, |stream| stream.checkpoint.lsn);
        Ok(Self {
            group: boot.group,
            place,
            config,
            log,
            through: EntryId::ZERO,
            commit: EntryId::ZERO,
            applied: boot.applied.lsn,
            snapshot: checkpoint.min(boot.applied.lsn),
            reads: HeldReads::default(),
            heading,
            upstream: place.predecessor.map(Upstream::new),
            downstream: place.successor.map(Downstream::new),
        })
    }
    // ANCHOR_END: boot

    /// The engine's state was replaced by the predecessor's. The log goes on after it, unless it does so
    /// already: a copy that was counted is not given up.
    pub(crate) fn on_snapshot_installed(
        &mut self,
        position: EntryId,
        frontier: &Bytes,
        fx: &mut Effects<Message>,
    ) {
        if self.log.contains(position) {
            self.log.skip_to(position.lsn);
            let (stream, upto) = (STREAM, position);
            fx.log(LogOp::Checkpoint { stream, upto });
        } else {
            let history = decode_frontier(frontier, position.lsn).unwrap_or_default();
            self.log.reset(position, history, fx);
        }
        (self.applied, self.snapshot) = (position.lsn, position.lsn);
        if let Some(predecessor) = self.place.predecessor {
            self.ask_again(predecessor);
        }
        self.decide_held(fx);
    }
}

/// The epoch of this boot of the head: newer than all that its disk knows of.
fn next_epoch(boot: &Boot<'_>, log: &Log) -> Result<LeaderEpoch, Error> {
    let written = match boot.hard_state().as_ref() {
        [] => LeaderEpoch::NONE,
        bytes => <[u8; 8]>::try_from(bytes)
            .map(|bytes| LeaderEpoch(u64::from_le_bytes(bytes)))
            .map_err(|_| refuse(boot, ErrorKind::Corrupted, "the hard state does not decode"))?,
    };
    let newest = written.max(log.last.epoch);
    #[cfg(test)]
    if crate::planted::is_planted(crate::planted::Bug::EpochReused) && newest.0 > 0 {
        return Ok(newest);
    }
    Ok(newest.next())
}

/// The log, joined to the engine's state. A replica whose log is damaged, or does not reach back to that
/// state, goes on after the state and gets the rest from its predecessor; the head has none.
fn recover_log(boot: &Boot<'_>, place: &Place, fx: &mut Effects<Message>) -> Result<Log, Error> {
    let stream = boot.log.streams.get(&STREAM).cloned().unwrap_or_default();
    let applied = boot.applied.lsn;
    let mut history = decode_frontier(&boot.applied.frontier, applied)
        .ok_or_else(|| refuse(boot, ErrorKind::Corrupted, "the frontier does not decode"))?;
    let wall = boot.tail.last().map_or(Wall(0), |entry| entry.wall);
    let recent: VecDeque<Entry> = boot
        .tail
        .iter()
        .filter(|entry| entry.first > applied)
        .cloned()
        .collect();
    let ends_at = recent.back().map_or(applied, Entry::last_lsn);
    let starts_at = recent.front().map_or(applied.next(), |entry| entry.first);
    if !boot.log.damaged && starts_at == applied.next() && ends_at == stream.last.lsn {
        for entry in &recent {
            history.note(entry.epoch, entry.first);
        }
        return Ok(Log::new(stream.last, wall, history, recent));
    }
    if place.predecessor.is_none() {
        let detail = "the head's log is damaged; restore its data folder";
        return Err(refuse(boot, ErrorKind::Corrupted, detail));
    }
    let base = EntryId::new(history.epoch_at(applied), applied);
    let mut log = Log::new(base, wall, EpochHistory::default(), VecDeque::new());
    log.reset(base, history, fx);
    fx.count("log-abandoned", applied.0);
    Ok(log)
}

/// Which boot of the head made which part of a state that goes as far as `upto`. The bytes are stored
/// with the first entry of a batch, so they may name an epoch that begins later.
fn decode_frontier(frontier: &Bytes, upto: Lsn) -> Option<EpochHistory> {
    if frontier.is_empty() {
        return Some(EpochHistory::default());
    }
    let mut history: EpochHistory = postcard::from_bytes(frontier).ok()?;
    history.truncate(upto);
    Some(history)
}

fn refuse(boot: &Boot<'_>, kind: ErrorKind, detail: &str) -> Error {
    Error::new(kind, "boot a chain replica")
        .with("keyspace", &boot.descriptor.name)
        .with("group", boot.group)
        .with("detail", detail)
}
