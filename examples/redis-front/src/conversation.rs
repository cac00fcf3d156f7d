//! From requests to replies, for one connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use repertoire::core::limits::KEY_MAX;
use repertoire::core::{Answer, ErrorKind};

use crate::alone;
use crate::burst::{Burst, Slot};
use crate::commands::{self, Command, Place};
use crate::failures;
use crate::families::Run;
use crate::front::Front;
use crate::lanes::{Found, Lanes, Written};
use crate::local;
use crate::packed;
use crate::reply::{OK, Reply};
use crate::resp;
use crate::session::Session;
use crate::transactions;
use crate::value::PAYLOAD_MAX;
use crate::work::{Work, too_long};

/// One connection's requests and replies.
pub(crate) struct Conversation {
    pub(crate) front: Arc<Front>,
    pub(crate) session: Session,
    pub(crate) lanes: Lanes,
    pub(crate) burst: Burst,
    /// Encoded replies.
    pub(crate) out: BytesMut,
    last: Option<&'static Command>,
}

impl Conversation {
    pub(crate) fn new(front: Arc<Front>, id: u64) -> Self {
        Self {
            lanes: Lanes::new(Arc::clone(&front)),
            front,
            session: Session {
                id,
                ..Session::default()
            },
            burst: Burst::default(),
            out: BytesMut::new(),
            last: None,
        }
    }

    /// Takes a request in. Its reply may need [`finish`](Self::finish).
    pub(crate) async fn request(&mut self, args: &[&[u8]]) {
        self.front.counters.commands.fetch_add(1, Ordering::Relaxed);
        let command = match self.check(args) {
            Ok(command) => command,
            Err(error) => {
                if let Some(queue) = &mut self.session.queue {
                    queue.is_broken = true;
                }
                return self.burst.reply(error);
            }
        };
        if self.session.queue.is_some() && !transactions::ends_or_begins(command) {
            let reply = transactions::queue(&mut self.session, command, args);
            return self.burst.reply(reply);
        }
        match command.place {
            Place::Local(_) => {
                if command.name == "exec" && (self.burst.has_reads() || self.burst.is_full()) {
                    self.finish().await;
                }
                local::run(self, command, args);
            }
            Place::Write(_) => self.write(command, args).await,
            Place::Read(run) => self.read(command, run, args).await,
            Place::Alone => {
                self.finish().await;
                let reply = alone::run(self, command, args).await;
                self.burst.reply(reply);
            }
        }
    }

    fn check(&mut self, args: &[&[u8]]) -> Result<&'static Command, Reply> {
        let name = args.first().copied().unwrap_or_default();
        // Pipelines repeat themselves.
        let same = self
            .last
            .filter(|last| name.eq_ignore_ascii_case(last.name.as_bytes()));
        let command = same.or_else(|| commands::find(name));
        let command = command.ok_or_else(|| failures::unknown_command(args))?;
        self.last = Some(command);
        if !command.takes(args.len()) {
            return Err(failures::arity_of(command));
        }
        if let Some(key) = command.keys_of(args).find(|key| key.len() > KEY_MAX) {
            let len = key.len();
            let text = format!("ERR key of {len} bytes exceeds the maximum of {KEY_MAX} bytes");
            return Err(Reply::Error(text));
        }
        Ok(command)
    }

    async fn write(&mut self, command: &Command, args: &[&[u8]]) {
        if self.burst.has_reads() || self.burst.is_full() {
            self.finish().await;
        }
        let stamp = self.front.stamp();
        match args {
            [_, key, payload] if command.name == "set" => {
                if payload.len() > PAYLOAD_MAX {
                    return self.burst.reply(too_long(payload.len()).into());
                }
                self.burst.put(key, payload, stamp);
            }
            _ => self.burst.call(args, stamp),
        }
    }

    async fn read(&mut self, command: &Command, run: Run, args: &[&[u8]]) {
        let mut keys = command.keys_of(args);
        match (keys.next(), keys.next()) {
            (Some(key), None) => {
                if self.burst.has_writes() || self.burst.is_full() {
                    self.finish().await;
                }
                self.burst.read(run, args, key);
            }
            _ => {
                self.finish().await;
                let reply = alone::read_many(self, command, run, args).await;
                self.burst.reply(reply);
            }
        }
    }

    /// Carries out what is under way, and appends the replies to `out`.
    pub(crate) async fn finish(&mut self) {
        if self.burst.is_empty() {
            return;
        }
        let (slots, operations, queries) = self.burst.take();
        let database = self.session.database;
        let mut written = Vec::new();
        if !operations.is_empty() {
            written = self.lanes.write(database, operations).await;
            if let Some((ack, _)) = written.iter().rev().find_map(|done| done.as_ref().ok()) {
                self.session.wrote(*ack);
            }
        }
        let mut found = Vec::new();
        if !queries.is_empty() {
            let at = self.session.reads_at();
            found = self.lanes.read(database, queries, at).await;
        }
        let (mut written, mut found) = (written.into_iter(), found.into_iter());
        for slot in slots {
            let reply = match slot {
                Slot::Reply(reply) => reply,
                Slot::Read { run, args } => found
                    .next()
                    .map_or(Reply::Nil, |found| self.evaluate(run, &args, found)),
                Slot::Plain | Slot::Returned | Slot::Exec => written
                    .next()
                    .map_or(Reply::Nil, |done| written_reply(&slot, done)),
            };
            resp::encode(&reply, self.session.version, &mut self.out);
        }
    }

    fn evaluate(&self, run: Run, args: &[Bytes], found: Found) -> Reply {
        let value = match found {
            Ok((_, Answer::Value(value))) => value,
            Ok((_, _)) => return Reply::Nil,
            Err(error) => return failures::of_read(&error),
        };
        let key = args.get(1).cloned().unwrap_or_default();
        let cells: BTreeMap<Bytes, Bytes> = value.map(|value| (key, value)).into_iter().collect();
        evaluate(run, args, &cells)
    }
}

/// Runs a command that changes nothing on values that were read for it.
pub(crate) fn evaluate(run: Run, args: &[Bytes], cells: &BTreeMap<Bytes, Bytes>) -> Reply {
    let now = repertoire::runtime::clock::now();
    let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
    run(&mut Work::new(cells, now.wall.0, 0), &args).into()
}

pub(crate) fn written_reply(slot: &Slot, done: Written) -> Reply {
    match (slot, done) {
        (Slot::Plain, Ok(_)) => OK,
        (_, Ok((_, result))) => packed::unpack(&result)
            .unwrap_or_else(|| Reply::Error("ERR the leader's answer is damaged".into())),
        // A watched key was written.
        (Slot::Exec, Err(error)) if *error.kind() == ErrorKind::Conflict => Reply::NilArray,
        (_, Err(error)) => failures::of_write(&error),
    }
}
