//! What the leader puts into one message.

use repertoire_core::{Effects, Entry, EntryId, LogRead, Lsn, Mono};

use crate::Message;
use crate::codec::ENTRIES_MAX;
use crate::local_log::STREAM;
use crate::message::{Append, Heard};
use crate::progress::{Phase, Progress};
use crate::state::State;

/// Entries of at least this size travel alone: their body then moves without being copied.
const ALONE_BYTES: usize = 64 * 1024;

/// Sends entries until the window is full or the log ends; orders older ones from the log.
pub(crate) fn replicate(
    follower: &mut Progress,
    round: &mut u64,
    now: Mono,
    state: &State,
    fx: &mut Effects<Message>,
) {
    let bytes_max = state.config.append_bytes_max as usize;
    let end = state.sendable();
    while follower.reading.is_none()
        && follower.next <= end
        && follower.room(state.config.window_bytes) > 0
    {
        let Some(entries) = state.log.window().from(follower.next) else {
            let ticket = fx.next_ticket();
            follower.reading = Some(ticket);
            fx.log_reads.push(LogRead {
                ticket,
                stream: STREAM,
                from: follower.next,
                bytes_max,
            });
            return;
        };
        let entries = entries.take_while(|entry| entry.last_lsn() <= end);
        let batch = pack(&mut entries.peekable(), bytes_max);
        send_entries(follower, round, batch, now, state, fx);
    }
}

/// Takes the entries of one message: a large one, or several small ones.
pub(crate) fn pack<'a>(
    entries: &mut std::iter::Peekable<impl Iterator<Item = &'a Entry>>,
    bytes_max: usize,
) -> Vec<Entry> {
    let mut batch: Vec<Entry> = entries.next().cloned().into_iter().collect();
    let mut bytes = batch.first().map_or(0, Entry::encoded_len);
    let small = bytes_max.min(ALONE_BYTES);
    while bytes < small && batch.len() < ENTRIES_MAX {
        let fits = |entry: &&Entry| {
            entry.encoded_len() < small && bytes + entry.encoded_len() <= bytes_max
        };
        let Some(entry) = entries.next_if(fits) else {
            break;
        };
        bytes += entry.encoded_len();
        batch.push(entry.clone());
    }
    batch
}

pub(crate) fn send_entries(
    follower: &mut Progress,
    round: &mut u64,
    entries: Vec<Entry>,
    now: Mono,
    state: &State,
    fx: &mut Effects<Message>,
) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return;
    };
    let prev = state.log.id_at(Lsn(first.first.0.saturating_sub(1)));
    let bytes = entries.iter().map(Entry::encoded_len).sum::<usize>() as u64;
    follower.sent(last.last_lsn(), bytes, now);
    send(follower, round, (prev, None), entries, state, fx);
}

/// A heartbeat, a probe, or news of what became visible: what differs is the record named. A leader
/// that is certain to lead says what it has heard of the follower, too.
pub(crate) fn send_empty(
    follower: &mut Progress,
    round: &mut u64,
    is_certain: bool,
    state: &State,
    fx: &mut Effects<Message>,
) {
    let prev = match follower.phase {
        Phase::Probe => {
            follower.is_asked = true;
            state.log.id_at(Lsn(follower.next.0.saturating_sub(1)))
        }
        // Known to match: entries that are still on their way must not make it refuse.
        Phase::Replicate => state.log.id_at(follower.received),
        Phase::Snapshot { .. } => EntryId::ZERO,
    };
    let heard = follower.heard.filter(|_| is_certain);
    send(follower, round, (prev, heard), Vec::new(), state, fx);
}

fn send(
    follower: &mut Progress,
    round: &mut u64,
    (prev, heard): (EntryId, Option<Heard>),
    entries: Vec<Entry>,
    state: &State,
    fx: &mut Effects<Message>,
) {
    *round += 1;
    follower.commit_sent = state.applied;
    let append = Append {
        epoch: state.hard.epoch,
        round: *round,
        prev,
        commit: state.applied,
        heard,
        entries,
    };
    fx.send(follower.node, Message::Append(append));
}
