//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`. What stands between `MULTI` and `EXEC` is one call of the
//! function at the leader.

use repertoire::core::limits::OPERATION_MAX;

use crate::alone;
use crate::commands::Command;
use crate::conversation::Conversation;
use crate::function::{self, Watched};
use crate::reply::{OK, Reply};
use crate::session::{Queue, Session};
use crate::value::Value;

/// Most commands of a transaction.
const COMMANDS_MAX: usize = 16 * 1024;

/// Most keys watched by a connection.
const WATCHED_MAX: usize = 4096;

/// Whether a command is carried out, not queued, between `MULTI` and `EXEC`.
pub(crate) fn ends_or_begins(command: &Command) -> bool {
    let names = ["exec", "discard", "multi", "watch", "quit", "reset"];
    names.contains(&command.name)
}

pub(crate) fn multi(session: &mut Session) -> Reply {
    if session.queue.is_some() {
        return Reply::Error("ERR MULTI calls can not be nested".into());
    }
    session.queue = Some(Queue::default());
    OK
}

pub(crate) fn discard(session: &mut Session) -> Reply {
    if session.queue.take().is_none() {
        return Reply::Error("ERR DISCARD without MULTI".into());
    }
    session.watched.clear();
    OK
}

/// Queues a command between `MULTI` and `EXEC`.
pub(crate) fn queue(session: &mut Session, command: &Command, args: &[&[u8]]) -> Reply {
    let Some(queue) = &mut session.queue else {
        return Reply::Error("ERR not in a transaction".into());
    };
    if command.run().is_none() {
        queue.is_broken = true;
        return Reply::Error("ERR Command not allowed inside a transaction".into());
    }
    let bytes: usize = args.iter().map(|arg| arg.len() + 4).sum();
    if queue.commands.len() + bytes > OPERATION_MAX || queue.count >= COMMANDS_MAX {
        queue.is_broken = true;
        let text = format!(
            "ERR transaction exceeds the maximum of {OPERATION_MAX} bytes or {COMMANDS_MAX} commands"
        );
        return Reply::Error(text);
    }
    function::put_command(&mut queue.commands, args);
    queue.count += 1;
    Reply::Simple("QUEUED")
}

/// Puts the queued commands under way, or answers at once.
pub(crate) fn exec(conversation: &mut Conversation) {
    let session = &mut conversation.session;
    let Some(queue) = session.queue.take() else {
        let text = "ERR EXEC without MULTI";
        return conversation.burst.reply(Reply::Error(text.into()));
    };
    let watched = std::mem::take(&mut session.watched);
    if queue.is_broken {
        let text = "EXECABORT Transaction discarded because of previous errors.";
        return conversation.burst.reply(Reply::Error(text.into()));
    }
    if !watched.is_empty() && session.watched_in != session.database {
        let text =
            "EXECABORT Transaction discarded because the watched keys are in another database.";
        return conversation.burst.reply(Reply::Error(text.into()));
    }
    if queue.count == 0 && watched.is_empty() {
        return conversation.burst.reply(Reply::Array(Vec::new()));
    }
    let stamp = conversation.front.stamp();
    let burst = &mut conversation.burst;
    burst.exec(&watched, &queue.commands, queue.count, stamp);
}

/// Notes what keys hold.
pub(crate) async fn watch(conversation: &mut Conversation, keys: &[&[u8]]) -> Reply {
    if conversation.session.queue.is_some() {
        return Reply::Error("ERR WATCH inside MULTI is not allowed".into());
    }
    let database = conversation.session.database;
    if conversation.session.watched.is_empty() {
        conversation.session.watched_in = database;
    } else if conversation.session.watched_in != database {
        return Reply::Error("ERR keys of another database are watched already".into());
    }
    let known = |key: &&&[u8]| {
        let watched = &conversation.session.watched;
        !watched.iter().any(|known| known.key == **key)
    };
    let new: Vec<&[u8]> = keys.iter().filter(known).copied().collect();
    if conversation.session.watched.len() + new.len() > WATCHED_MAX {
        return Reply::Error(format!("ERR more than {WATCHED_MAX} keys would be watched"));
    }
    let found = match alone::fetch(conversation, &new, None).await {
        Ok((cells, _)) => cells,
        Err(error) => return error,
    };
    for key in new {
        let value = found.get(key).and_then(Value::decode);
        conversation.session.watched.push(Watched {
            key: bytes::Bytes::copy_from_slice(key),
            stamp: value.map(|value| value.stamp),
        });
    }
    OK
}
