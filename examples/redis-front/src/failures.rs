//! Errors of the database in the words of the protocol.

use repertoire::core::{Error, ErrorKind, WriteOutcome};

use crate::commands::Command;
use crate::reply::{Failure, Reply};

/// Longest part of a request that an error repeats, in bytes, as in Redis.
const QUOTED_MAX: usize = 128;

/// A failed write. Says whether it may still happen.
pub(crate) fn of_write(error: &Error) -> Reply {
    if let ErrorKind::Application { message } = error.kind() {
        return Reply::Error(message.clone());
    }
    let outcome = match error.outcome() {
        WriteOutcome::NotApplied => "not done",
        WriteOutcome::Unknown => "unknown outcome, the write may still happen",
    };
    Reply::Error(line(&format!("ERR {outcome}: {error}")))
}

/// A failed read.
pub(crate) fn of_read(error: &Error) -> Reply {
    Reply::Error(line(&format!("ERR not read: {error}")))
}

/// A command with the wrong number of arguments; `name` with its subcommand, if any.
pub(crate) fn arity(name: &str) -> Failure {
    format!("ERR wrong number of arguments for '{name}' command").into()
}

/// A command with the wrong number of arguments.
pub(crate) fn arity_of(command: &Command) -> Reply {
    arity(command.name).into()
}

/// A subcommand that does not exist.
pub(crate) fn unknown_subcommand(command: &str, sub: &[u8]) -> Failure {
    let sub = quoted(sub);
    let command = command.to_uppercase();
    format!("ERR unknown subcommand '{sub}'. Try {command} HELP.").into()
}

/// A command that does not exist.
pub(crate) fn unknown_command(args: &[&[u8]]) -> Reply {
    let mut shown = String::new();
    for arg in args.iter().skip(1) {
        if shown.len() >= QUOTED_MAX {
            break;
        }
        let left = QUOTED_MAX - shown.len();
        let arg = arg.get(..arg.len().min(left)).unwrap_or_default();
        shown += &format!("'{}' ", String::from_utf8_lossy(arg));
    }
    let name = quoted(args.first().copied().unwrap_or_default());
    let text = format!("ERR unknown command '{name}', with args beginning with: {shown}");
    Reply::Error(line(&text))
}

fn quoted(bytes: &[u8]) -> String {
    let shown = bytes.get(..bytes.len().min(QUOTED_MAX)).unwrap_or_default();
    line(&String::from_utf8_lossy(shown))
}

/// An error is one line.
fn line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
