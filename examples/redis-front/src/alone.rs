//! Commands that are carried out when everything before them is done.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire::core::{Answer, EntryId, NodeId, ReadQuery};

use crate::commands::Command;
use crate::conversation::{Conversation, evaluate, written_reply};
use crate::families::{Run, integer};
use crate::reply::{NOT_AN_INTEGER, OK, Reply};
use crate::{burst, failures, info, local, scans, transactions, wait};

/// Keys that are read at once; their values are held until all are there.
const READS_MAX: usize = 64;

/// Most bytes that a command on many keys may read.
const READ_BYTES_MAX: usize = 64 << 20;

/// How often a command on many keys is tried on values read side by side, before it runs at the
/// leader.
const TRIES_MAX: usize = 3;

pub(crate) async fn run(on: &mut Conversation, command: &Command, args: &[&[u8]]) -> Reply {
    let words = args.get(1..).unwrap_or_default();
    match command.name {
        "dbsize" => dbsize(on).await,
        "flushdb" => scans::flush(on, words).await,
        "hello" => local::hello(&mut on.session, words),
        "info" => info::run(on, words).await,
        "keys" => scans::keys(on, words).await,
        "readonly" => readonly(on),
        "readwrite" => {
            on.session.follower = None;
            OK
        }
        "reset" => {
            on.session.reset();
            Reply::Simple("RESET")
        }
        "scan" => scans::scan(on, words).await,
        "select" => select(on, words),
        "wait" => wait::run(on, words).await,
        "watch" => transactions::watch(on, words).await,
        _ => failures::unknown_command(args),
    }
}

/// Reads go to a follower from now on, another one for each connection.
fn readonly(on: &mut Conversation) -> Reply {
    let followers = &on.front.followers;
    let turn = usize::try_from(on.session.id).unwrap_or(0);
    on.session.follower = followers.get(turn % followers.len().max(1)).copied();
    OK
}

fn select(on: &mut Conversation, words: &[&[u8]]) -> Reply {
    let number = words
        .first()
        .map_or(Err(NOT_AN_INTEGER), |text| integer(text));
    let Ok(number) = number else {
        return NOT_AN_INTEGER.into();
    };
    match usize::try_from(number) {
        Ok(number) if number < on.front.databases() => {
            on.session.database = number;
            OK
        }
        _ => Reply::Error("ERR DB index is out of range".into()),
    }
}

async fn dbsize(on: &mut Conversation) -> Reply {
    let at = on.session.reads_at();
    let found = on
        .lanes
        .read(on.session.database, vec![ReadQuery::Count], at)
        .await;
    match found.into_iter().next() {
        Some(Ok((_, Answer::Count(count)))) => Reply::Int(i64::try_from(count).unwrap_or(i64::MAX)),
        Some(Err(error)) => failures::of_read(&error),
        _ => Reply::Nil,
    }
}

/// A command that reads several keys: all as they were at one moment.
pub(crate) async fn read_many(
    on: &mut Conversation,
    command: &Command,
    run: Run,
    args: &[&[u8]],
) -> Reply {
    let keys: Vec<&[u8]> = command.keys_of(args).collect();
    let owned: Vec<Bytes> = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
    for _ in 0..TRIES_MAX {
        match fetch(on, &keys, on.session.reads_at()).await {
            Ok((cells, true)) => return evaluate(run, &owned, &cells),
            Ok((_, false)) => {}
            Err(error) => return error,
        }
    }
    // Others write all the time: let it take its turn among them.
    on.burst.call(args, on.front.stamp());
    let (slots, operations, _) = on.burst.take();
    let done = on.lanes.write(on.session.database, operations).await;
    match (slots.first(), done.into_iter().next()) {
        (Some(burst::Slot::Reply(error)), _) => error.clone(),
        (Some(slot), Some(done)) => written_reply(slot, done),
        _ => Reply::Nil,
    }
}

/// What keys hold, and whether all of them did at one moment.
pub(crate) async fn fetch(
    on: &mut Conversation,
    keys: &[&[u8]],
    at: Option<(NodeId, EntryId)>,
) -> Result<(BTreeMap<Bytes, Bytes>, bool), Reply> {
    let mut cells = BTreeMap::new();
    let (mut bytes, mut is_one_moment, mut seen) = (0, true, None);
    for keys in keys.chunks(READS_MAX) {
        let queries = keys
            .iter()
            .map(|key| ReadQuery::Get(Bytes::copy_from_slice(key)));
        let found = on
            .lanes
            .read(on.session.database, queries.collect(), at)
            .await;
        for (key, found) in keys.iter().zip(found) {
            let (position, answer) = found.map_err(|error| failures::of_read(&error))?;
            is_one_moment &= seen.as_ref().is_none_or(|seen| *seen == position);
            seen = Some(position);
            if let Answer::Value(Some(value)) = answer {
                bytes += value.len();
                cells.insert(Bytes::copy_from_slice(key), value);
            }
        }
        if bytes > READ_BYTES_MAX {
            let text = format!("ERR the keys hold more than {READ_BYTES_MAX} bytes: ask for fewer");
            return Err(Reply::Error(text));
        }
    }
    Ok((cells, is_one_moment))
}
