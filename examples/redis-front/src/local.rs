//! Commands that need no key: about the connection, the server, and transactions.

use bytes::Bytes;

use crate::commands::{self, COMMANDS, Command, Place};
use crate::conversation::Conversation;
use crate::failures::{arity, unknown_subcommand};
use crate::families::integer;
use crate::reply::{Failure, OK, Reply};
use crate::resp::Version;
use crate::session::Session;
use crate::value::PAYLOAD_MAX;
use crate::{glob, transactions, work::Work};

pub(crate) fn run(on: &mut Conversation, command: &Command, args: &[&[u8]]) {
    let words = args.get(1..).unwrap_or_default();
    let reply = match command.name {
        "exec" => return transactions::exec(on),
        "multi" => transactions::multi(&mut on.session),
        "discard" => transactions::discard(&mut on.session),
        "unwatch" => {
            on.session.watched.clear();
            OK
        }
        "quit" => {
            on.session.is_closing = true;
            OK
        }
        "client" => client(&mut on.session, words).into(),
        "command" => describe(words).into(),
        "config" => config(on, words).into(),
        _ => match command.place {
            Place::Local(Some(run)) => {
                let nothing = std::collections::BTreeMap::<Bytes, Bytes>::new();
                run(&mut Work::new(&nothing, 0, 0), args).into()
            }
            Place::Local(None) | Place::Read(_) | Place::Write(_) | Place::Alone => {
                crate::failures::unknown_command(args)
            }
        },
    };
    on.burst.reply(reply);
}

fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

fn client(session: &mut Session, words: &[&[u8]]) -> Result<Reply, Failure> {
    let (sub, rest) = words.split_first().ok_or_else(|| arity("client"))?;
    match (lower(sub).as_str(), rest) {
        ("id", []) => Ok(Reply::Int(i64::try_from(session.id).unwrap_or(0))),
        ("getname", []) if session.name.is_empty() => Ok(Reply::Nil),
        ("getname", []) => Ok(Reply::bulk(session.name.as_bytes())),
        ("setname", [name]) => {
            session.name = client_name(name)?;
            Ok(OK)
        }
        // Libraries tell their name and version; nobody asks for it here.
        ("setinfo", [attribute, _]) => match lower(attribute).as_str() {
            "lib-name" | "lib-ver" => Ok(OK),
            other => Err(format!("ERR Unrecognized option '{other}'").into()),
        },
        ("no-evict" | "no-touch", [_]) => Ok(OK),
        ("info", []) => Ok(Reply::Text(format!(
            "id={} name={} db={} multi={} watch={} resp={}\n",
            session.id,
            session.name,
            session.database,
            session
                .queue
                .as_ref()
                .map_or(-1, |queue| i64::try_from(queue.count).unwrap_or(0)),
            session.watched.len(),
            if session.version == Version::Resp3 {
                3
            } else {
                2
            },
        ))),
        ("id" | "getname" | "setname" | "setinfo" | "no-evict" | "no-touch" | "info", _) => {
            Err(arity(&format!("client|{}", lower(sub))))
        }
        _ => Err(unknown_subcommand("client", sub)),
    }
}

fn client_name(name: &[u8]) -> Result<String, Failure> {
    let is_plain = name.iter().all(|byte| (b'!'..=b'~').contains(byte));
    if is_plain && name.len() <= 512 {
        Ok(String::from_utf8_lossy(name).into_owned())
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
    }
}

/// `HELLO`: the version that the client speaks from here on.
pub(crate) fn hello(session: &mut Session, words: &[&[u8]]) -> Reply {
    match hello_options(session, words) {
        Ok(()) => {}
        Err(error) => return error.into(),
    }
    let proto = if session.version == Version::Resp3 {
        3
    } else {
        2
    };
    let text = |text: &str| Reply::bulk(text.as_bytes());
    Reply::Map(vec![
        (text("server"), text("redis-front")),
        (text("version"), text(env!("CARGO_PKG_VERSION"))),
        (text("proto"), Reply::Int(proto)),
        (
            text("id"),
            Reply::Int(i64::try_from(session.id).unwrap_or(0)),
        ),
        (text("mode"), text("standalone")),
        (text("role"), text("master")),
        (text("modules"), Reply::Array(Vec::new())),
    ])
}

fn hello_options(session: &mut Session, words: &[&[u8]]) -> Result<(), Failure> {
    let Some((version, options)) = words.split_first() else {
        return Ok(());
    };
    let version = match integer(version) {
        Ok(2) => Version::Resp2,
        Ok(3) => Version::Resp3,
        Ok(_) => return Err("NOPROTO unsupported protocol version".into()),
        Err(_) => return Err("ERR Protocol version is not an integer or out of range".into()),
    };
    let mut options = options.iter();
    let mut name = None;
    while let Some(option) = options.next() {
        match (lower(option).as_str(), options.next()) {
            ("setname", Some(word)) => name = Some(client_name(word)?),
            ("auth", Some(_)) => return Err("ERR AUTH is not supported: there are no users".into()),
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
            }
        }
    }
    session.version = version;
    session.name = name.unwrap_or_else(|| std::mem::take(&mut session.name));
    Ok(())
}

fn describe(words: &[&[u8]]) -> Result<Reply, Failure> {
    let Some((sub, rest)) = words.split_first() else {
        return Ok(Reply::Array(COMMANDS.iter().map(facts).collect()));
    };
    match (lower(sub).as_str(), rest) {
        ("count", []) => Ok(Reply::count(COMMANDS.len())),
        ("list", []) => {
            let names = COMMANDS
                .iter()
                .map(|command| Reply::bulk(command.name.as_bytes()));
            Ok(Reply::Array(names.collect()))
        }
        ("info", []) => Ok(Reply::Array(COMMANDS.iter().map(facts).collect())),
        ("info", names) => {
            let of = |name: &&[u8]| commands::find(name).map_or(Reply::NilArray, facts);
            Ok(Reply::Array(names.iter().map(of).collect()))
        }
        ("docs", _) => Ok(Reply::Map(Vec::new())),
        ("getkeys", [] | [_]) => Err(arity("command|getkeys")),
        ("getkeys", [name, ..]) => {
            let command = commands::find(name).ok_or("ERR Invalid command specified")?;
            if !command.takes(rest.len()) {
                return Err("ERR Invalid number of arguments specified for command".into());
            }
            let keys: Vec<_> = command.keys_of(rest).map(Reply::bulk).collect();
            if keys.is_empty() {
                return Err("ERR The command has no key arguments".into());
            }
            Ok(Reply::Array(keys))
        }
        _ => Err(unknown_subcommand("command", sub)),
    }
}

fn facts(command: &Command) -> Reply {
    let flag = match command.place {
        Place::Write(_) => "write",
        Place::Read(_) => "readonly",
        Place::Local(_) => "fast",
        Place::Alone => "admin",
    };
    let (first, last, step) = command.keys;
    Reply::Array(vec![
        Reply::bulk(command.name.as_bytes()),
        Reply::Int(command.arity.into()),
        Reply::Set(vec![Reply::Simple(flag)]),
        Reply::count(first),
        Reply::Int(i64::try_from(last).unwrap_or(0)),
        Reply::count(step),
        Reply::Set(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
    ])
}

fn config(on: &Conversation, words: &[&[u8]]) -> Result<Reply, Failure> {
    let (sub, rest) = words.split_first().ok_or_else(|| arity("config"))?;
    match (lower(sub).as_str(), rest) {
        ("get", []) => Err(arity("config|get")),
        ("get", patterns) => {
            let settings = [
                ("appendonly", "yes".to_owned()),
                ("databases", on.front.databases().to_string()),
                ("maxmemory", "0".to_owned()),
                ("proto-max-bulk-len", PAYLOAD_MAX.to_string()),
                ("save", String::new()),
                ("timeout", "0".to_owned()),
            ];
            let wanted = |name: &str| {
                let fits = |p: &&[u8]| glob::matches(&p.to_ascii_lowercase(), name.as_bytes());
                patterns.iter().any(fits)
            };
            let text = |text: &str| Reply::bulk(text.as_bytes());
            let found = settings.iter().filter(|(name, _)| wanted(name));
            Ok(Reply::Map(found.map(|(n, v)| (text(n), text(v))).collect()))
        }
        ("set" | "rewrite", _) => {
            Err("ERR settings are flags of the process: start it with others".into())
        }
        ("resetstat", []) => Ok(OK),
        _ => Err(unknown_subcommand("config", sub)),
    }
}
