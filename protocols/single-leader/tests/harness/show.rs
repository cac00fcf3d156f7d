//! Messages and effects as one short line each: the language of the scenario scripts.

use repertoire_core::{
    DISCARDS, Entry, EntryKind, ErrorKind, Fate, GroupMember, LogOp, LogSlice, Mark, MemberRole,
    Membership, ReadVerdict, RecordReader, SnapshotOrder,
};
use repertoire_single_leader::Message;

/// `last@epoch:text`, and `barrier` for barriers.
pub(crate) fn entry(entry: &Entry) -> String {
    let text = match entry.kind {
        EntryKind::Records => text_of(entry),
        EntryKind::Barrier => "barrier".to_owned(),
        EntryKind::Config => {
            Membership::decode(&entry.body).map_or("?".to_owned(), |g| members(&g))
        }
        EntryKind::SyncSet => format!("{:?}", entry.kind),
    };
    let longest = if entry.kind == EntryKind::Config {
        60
    } else {
        12
    };
    let text: String = text.chars().take(longest).collect();
    format!("{}:{text}", entry.last())
}

/// What the entry's first record says.
fn text_of(entry: &Entry) -> String {
    let first = RecordReader::new(entry).next();
    let payload = first.map(|record| record.map_or(&b"?"[..], |record| record.payload));
    String::from_utf8_lossy(payload.unwrap_or_default()).into_owned()
}

/// What is written to the journal of discarded writes.
fn mark(added: &Entry) -> String {
    match Mark::from_bytes(&added.body) {
        Ok(Mark::Entry { entry: lost, .. }) => entry(&lost),
        Ok(Mark::Unlisted { first, records }) => format!("{records} unlisted from {first} on"),
        Ok(Mark::Settled { records, how }) => {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            format!("{} is settled: {how:?}", records.join(" "))
        }
        Err(error) => error.to_string(),
    }
}

fn entries(list: &[Entry]) -> String {
    let shown: Vec<String> = list.iter().map(entry).collect();
    format!("[{}]", shown.join(" "))
}

pub(crate) fn message(message: &Message) -> String {
    match message {
        Message::Append(append) => {
            let epoch = append.epoch.0;
            let (prev, commit) = (append.prev, append.commit.0);
            let what = match append.entries.as_slice() {
                [] => "beat".to_owned(),
                list => format!("append {}", entries(list)),
            };
            format!("{what} after {prev}, visible {commit}, epoch {epoch}")
        }
        Message::Ack(ack) => {
            let (durable, received) = (ack.durable.0, ack.received.0);
            format!("ack durable {durable}, received {received}")
        }
        Message::Reject(reject) if reject.needs_snapshot => "reject: needs a snapshot".to_owned(),
        Message::Reject(reject) => format!("reject: go on from {}", reject.hint),
        Message::Fenced(fenced) => {
            let (own, seen) = (fenced.own.0, fenced.seen.0);
            format!("fenced: epoch {own} is over, {seen} is in force")
        }
        Message::VoteRequest(request) => {
            let (stage, epoch) = (request.stage, request.epoch.0);
            let disk = request.voter.map(|disk| format!("disk {} ", disk.0));
            let disk = disk.unwrap_or_default();
            let last = request.last;
            format!("asks {disk}for {stage:?} in epoch {epoch}, log ends at {last}")
        }
        Message::Vote(vote) | Message::BlankVote(vote) => {
            let is_blank = matches!(message, Message::BlankVote(_));
            let word = match vote.is_granted {
                true if is_blank => "yes (blank)",
                true => "yes",
                false => "no",
            };
            format!("{word} to {:?} in epoch {}", vote.stage, vote.epoch.0)
        }
        Message::Quiesce(quiesce) => {
            let (last, pause, epoch) = (quiesce.last, quiesce.pause_ms, quiesce.epoch.0);
            format!("rest: all is visible up to {last}, silent for {pause} ms, epoch {epoch}")
        }
        Message::TakeOver(wish) => {
            let (epoch, upto) = (wish.epoch.0, wish.upto.0);
            format!("take over from epoch {epoch}, which ends at {upto}")
        }
        Message::Welcome(welcome) => {
            let (epoch, disk) = (welcome.epoch.0, welcome.incarnation.0);
            format!("welcomes disk {disk}, epoch {epoch}")
        }
        Message::RecoveryRequest(_) => "asks what it may have forgotten".to_owned(),
        Message::RecoveryAnswer(answer) => {
            let epoch = answer.epoch.0;
            match answer.leads_upto {
                Some(upto) => format!("leads in epoch {epoch} up to {}", upto.0),
                None if answer.is_empty => format!("knows of epoch {epoch}, and holds nothing"),
                None if answer.is_whole => format!("knows of epoch {epoch}"),
                None => format!("knows of epoch {epoch}, and may have forgotten more"),
            }
        }
    }
}

pub(crate) fn log_op(op: &LogOp) -> String {
    match op {
        LogOp::Append { stream, entry } if *stream == DISCARDS => {
            format!("discards {}", mark(entry))
        }
        LogOp::Reset { stream, .. } if *stream == DISCARDS => "has no discards left".to_owned(),
        LogOp::Append { entry: added, .. } => format!("append {}", entry(added)),
        LogOp::Truncate { last, .. } => format!("truncate after {}", last.0),
        LogOp::HardState(_) => "hard state".to_owned(),
        LogOp::Repaired => "repaired".to_owned(),
        LogOp::Checkpoint { upto, .. } => format!("checkpoint {upto}"),
        LogOp::Reset { base, .. } => format!("reset after {base}"),
    }
}

pub(crate) fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Placed { proposal, first } => format!("places {proposal} at {first}"),
        Fate::Acked { through, copies } => format!("ACKS through {through}, {copies} copies"),
        Fate::Refused { proposal, error } => format!("refuses {proposal}: {}", kind(error.kind())),
        Fate::Unknown { from, error } => {
            format!("does not know from {from} on: {}", kind(error.kind()))
        }
    }
}

pub(crate) fn verdict(verdict: &ReadVerdict) -> String {
    match verdict {
        ReadVerdict::ServeAt { ticket, at } => format!("serves {ticket} at {}", at.0),
        ReadVerdict::Refused { ticket, error } => {
            format!("refuses {ticket}: {}", kind(error.kind()))
        }
    }
}

fn kind(kind: &ErrorKind) -> String {
    kind.to_string()
}

pub(crate) fn snapshot(order: &SnapshotOrder) -> String {
    match order {
        SnapshotOrder::Send { to, .. } => format!("orders a snapshot for n{}", to.0),
        SnapshotOrder::Fetch { from } => format!("asks n{} for a snapshot", from.0),
    }
}

pub(crate) fn slice(slice: &LogSlice) -> String {
    match slice {
        LogSlice::Entries(list) => entries(list),
        LogSlice::Trimmed { base } => format!("the log trimmed up to {base}"),
    }
}

/// Voters, then those that are not, with what they wait for.
pub(crate) fn members(group: &Membership) -> String {
    let member = |member: &GroupMember| {
        let sign = match member.role {
            MemberRole::Voter => "",
            MemberRole::Joining => "+",
            MemberRole::Learner => "?",
        };
        let disk = member.incarnation.map(|disk| format!("/{}", disk.0));
        let replaces = member.replaces.map(|node| format!(" for {}", node.0));
        let (disk, replaces) = (disk.unwrap_or_default(), replaces.unwrap_or_default());
        format!("{sign}{}{disk}{replaces}", member.node.0)
    };
    let all: Vec<String> = group.members().iter().map(member).collect();
    format!("members({})", all.join(" "))
}
