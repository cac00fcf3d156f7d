//! `INFO`: sections of `name:value` lines.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use repertoire::core::{Answer, ReadQuery};

use crate::conversation::Conversation;
use crate::failures;
use crate::reply::Reply;
use crate::wait;

const SECTIONS: [&str; 5] = ["server", "clients", "stats", "replication", "keyspace"];

pub(crate) async fn run(on: &mut Conversation, words: &[&[u8]]) -> Reply {
    let wanted: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
        .collect();
    let is_all = wanted.is_empty()
        || wanted
            .iter()
            .any(|word| matches!(word.as_str(), "all" | "default" | "everything"));
    let mut text = String::new();
    for section in SECTIONS {
        if !is_all && !wanted.iter().any(|word| word == section) {
            continue;
        }
        if !text.is_empty() {
            text += "\r\n";
        }
        let (head, tail) = section.split_at(1);
        text += &format!("# {}{tail}\r\n", head.to_ascii_uppercase());
        let lines = match section {
            "server" => Ok(server(on)),
            "clients" => Ok(clients(on)),
            "stats" => Ok(stats(on)),
            "replication" => replication(on).await,
            _ => keyspace(on).await,
        };
        match lines {
            Ok(lines) => text += &lines,
            Err(error) => return error,
        }
    }
    Reply::Text(text)
}

fn server(on: &Conversation) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (pid, up) = (std::process::id(), on.front.started.elapsed().as_secs());
    format!(
        "redis_front_version:{version}\r\nredis_mode:standalone\r\nprocess_id:{pid}\r\n\
         uptime_in_seconds:{up}\r\n"
    )
}

fn clients(on: &Conversation) -> String {
    let connected = on.front.counters.connected.load(Ordering::Relaxed);
    format!("connected_clients:{connected}\r\n")
}

fn stats(on: &Conversation) -> String {
    let counters = &on.front.counters;
    format!(
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\nrejected_connections:{}\r\n",
        counters.connections.load(Ordering::Relaxed),
        counters.commands.load(Ordering::Relaxed),
        counters.refused.load(Ordering::Relaxed),
    )
}

async fn replication(on: &Conversation) -> Result<String, Reply> {
    let status = on
        .front
        .status()
        .await
        .map_err(|error| failures::of_read(&error))?;
    let followers = on.front.followers.iter();
    let up: Vec<u64> = followers
        .map(|node| node.0)
        .filter(|n| wait::is_up(on, &status, *n))
        .collect();
    let mut lines = format!(
        "role:master\r\nconnected_slaves:{}\r\nleader:node-{}\r\nacknowledged:{}\r\n",
        up.len(),
        on.front.leader.0,
        on.front.promise,
    );
    for (index, node) in up.iter().enumerate() {
        let _never_fails = write!(lines, "slave{index}:node={node},state=online\r\n");
    }
    Ok(lines)
}

async fn keyspace(on: &mut Conversation) -> Result<String, Reply> {
    let mut lines = String::new();
    for database in 0..on.front.databases() {
        let found = on.lanes.read(database, vec![ReadQuery::Count], None).await;
        match found.into_iter().next() {
            Some(Ok((_, Answer::Count(keys)))) if keys > 0 => {
                let _never_fails = write!(lines, "db{database}:keys={keys}\r\n");
            }
            Some(Err(error)) => return Err(failures::of_read(&error)),
            _ => {}
        }
    }
    Ok(lines)
}
