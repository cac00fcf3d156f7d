//! What is due happens, and what a replica wants done is done.

use repertoire_core::{
    Answer, DISCARDS, Entry, Error, GroupLogOp, LogOp, LogStore as _, Mark, NodeId, Outcome,
    Position, Reply, SnapshotOrder, TimerOrder, WriteOutcome,
};
use repertoire_single_leader::Message;

use super::event::{Event, Wake};
use super::{GROUP, Happening, Place, Stage};

impl Stage {
    pub(super) fn happen(&mut self, event: Event) -> Result<(), Error> {
        let now = self.clocks();
        match event {
            Event::Write { node, request } => {
                self.with_host(node, |host| host.submit(now, request));
                self.settle(node)
            }
            Event::Read { node, request } => {
                self.with_host(node, |host| host.read(now, request));
                self.settle(node)
            }
            Event::Message { from, to, message } => {
                self.with_host(to, |host| host.message(now, NodeId(from), message));
                self.settle(to)
            }
            Event::Wake { node, boot, what } => {
                let found = self.nodes.get(&node);
                if found.is_some_and(|replica| replica.boot == boot) {
                    self.wake(node, what)
                } else {
                    Ok(())
                }
            }
            Event::Snapshot {
                from,
                to,
                header,
                chunks,
            } => self.install(from, to, header, chunks),
            Event::Reply {
                number,
                from,
                sent,
                what,
                position,
            } => {
                self.reply_arrives((number, from), sent, what, position);
                Ok(())
            }
        }
    }

    fn wake(&mut self, node: u64, what: Wake) -> Result<(), Error> {
        let now = self.clocks();
        match what {
            Wake::Burst => return self.burst_is_synced(node),
            Wake::LogRead { ticket, slice } => {
                self.with_host(node, |host| host.log_read(now, ticket, slice));
            }
            Wake::Timer { key, setting } => {
                let found = self.nodes.get(&node);
                let is_set = found.and_then(|replica| replica.timers.get(&key)) == Some(&setting);
                if is_set {
                    self.with_host(node, |host| host.timer(now, key));
                }
            }
            Wake::Link { peer, event } => {
                self.with_host(node, |host| host.peer(now, peer, event));
            }
            Wake::Deadlines => self.with_host(node, |host| {
                host.expire(now);
            }),
        }
        self.settle(node)
    }

    fn with_host(
        &mut self,
        node: u64,
        act: impl FnOnce(&mut repertoire_core::Host<repertoire_single_leader::SingleLeader>),
    ) {
        if let Some(host) = self
            .nodes
            .get_mut(&node)
            .and_then(|node| node.host.as_mut())
        {
            act(host);
        }
    }

    /// Ends a batch of one replica and does what it asks for.
    pub(super) fn settle(&mut self, number: u64) -> Result<(), Error> {
        let now = self.clocks();
        let Some(node) = self.nodes.get_mut(&number) else {
            return Ok(());
        };
        let Some(host) = &mut node.host else {
            return Ok(());
        };
        host.flush(now);
        let out = std::mem::take(host.output());
        let boot = node.boot;
        if !out.log.is_empty() {
            node.desk.queue.extend(out.log);
            node.desk.queued = out.log_seq;
        }
        for (to, message) in out.sends {
            self.send(number, to.0, message);
        }
        for reply in out.replies {
            self.reply(number, reply);
        }
        for TimerOrder { key, at } in out.timers {
            // Not before its time: it would be set again for the same microsecond, for ever.
            self.set_timer(number, boot, key, at.map(|at| at.0.div_ceil(1000)));
        }
        for read in out.log_reads {
            let log = self
                .nodes
                .get_mut(&number)
                .and_then(|node| node.log.as_mut());
            if let Some(log) = log {
                let slice = log.read(GROUP, read.stream, read.from, read.bytes_max)?;
                let ticket = read.ticket;
                let what = Wake::LogRead { ticket, slice };
                let answer = Event::Wake {
                    node: number,
                    boot,
                    what,
                };
                self.after(self.times.disk / 2, answer);
            }
        }
        for order in out.snapshots {
            if let SnapshotOrder::Send { to, .. } = order {
                self.send_snapshot(number, to.0)?;
            }
        }
        self.begin_burst(number)
    }

    /// One write, and after a while one sync, for everything that waits.
    fn begin_burst(&mut self, number: u64) -> Result<(), Error> {
        let Some(node) = self.nodes.get_mut(&number) else {
            return Ok(());
        };
        if node.desk.under_way.is_some() || node.desk.queue.is_empty() {
            return Ok(());
        }
        let queue = std::mem::take(&mut node.desk.queue);
        node.desk.under_way = Some(node.desk.queued);
        if let Some(log) = &mut node.log {
            log.write(&queue)?;
        }
        node.desk.needs_sync = queue.iter().any(|op| op.sync);
        // Without a sync, the operating system takes the bytes at once.
        let span = if node.desk.needs_sync {
            self.times.disk
        } else {
            self.times.disk / 10
        };
        let boot = node.boot;
        let wrote = queue.iter().filter_map(shown);
        let wrote: Vec<String> = wrote.collect();
        if !wrote.is_empty() {
            self.say(number, format!("writes {}", wrote.join(", ")));
        }
        let done = Event::Wake {
            node: number,
            boot,
            what: Wake::Burst,
        };
        self.after(span, done);
        Ok(())
    }

    fn burst_is_synced(&mut self, number: u64) -> Result<(), Error> {
        let now = self.clocks();
        let Some(node) = self.nodes.get_mut(&number) else {
            return Ok(());
        };
        let mut is_synced = false;
        if let (Some(log), true) = (&mut node.log, node.desk.needs_sync) {
            let before = log.counters().syncs;
            log.sync()?;
            // Counted by the log, and so not taken on trust: a planted bug may leave it out.
            is_synced = log.counters().syncs > before;
        }
        if let Some(seq) = node.desk.under_way.take() {
            let done = if is_synced {
                "fdatasync done"
            } else {
                "written, not synced"
            };
            self.say(number, done.to_owned());
            self.with_host(number, |host| host.durable(now, seq));
        }
        self.settle(number)
    }

    fn send(&mut self, from: u64, to: u64, message: Message) {
        let what = described(&message);
        let is_down = self.nodes.get(&to).is_none_or(|node| node.host.is_none());
        let lost = is_down || self.is_cut(from, to);
        let (at, span) = (self.now(), self.link_time(from, to));
        if let Some(what) = what {
            self.record(Happening::Sent {
                from: Place::Node(from),
                to: Place::Node(to),
                at,
                arrives: (!lost).then_some(at + span),
                what,
            });
        }
        if !lost {
            self.after(span, Event::Message { from, to, message });
        }
    }

    fn reply(&mut self, from: u64, reply: Reply) {
        let number = usize::try_from(reply.to.request).unwrap_or(usize::MAX);
        let what = match &reply.outcome {
            Outcome::Written { ack, .. } => format!(
                "ok: {}, {} {}",
                ack.position,
                ack.copies,
                if ack.copies == 1 { "copy" } else { "copies" }
            ),
            Outcome::Answered {
                answer: Answer::Value(value),
                ..
            } => value.as_ref().map_or_else(
                || "(no value)".to_owned(),
                |value| String::from_utf8_lossy(value).into_owned(),
            ),
            Outcome::Answered { answer, .. } => format!("{answer:?}"),
            Outcome::Failed(error) if error.outcome() == WriteOutcome::Unknown => {
                format!("unknown: {}", error.kind())
            }
            Outcome::Failed(error) => format!("refused: {}", error.kind()),
        };
        let position = match reply.outcome {
            Outcome::Written { ack, .. } => Some(Position::Entry(ack.position)),
            Outcome::Answered { position, .. } => Some(position),
            Outcome::Failed(_) => None,
        };
        let sent = self.now();
        let event = Event::Reply {
            number,
            from,
            sent,
            what,
            position,
        };
        self.after(self.times.client, event);
    }

    fn reply_arrives(
        &mut self,
        (number, from): (usize, u64),
        sent: u64,
        what: String,
        position: Option<Position>,
    ) {
        let at = self.now();
        let Some(asked) = self.requests.get_mut(number) else {
            return;
        };
        asked.ended = Some(what.clone());
        asked.position = position;
        self.record(Happening::Sent {
            from: Place::Node(from),
            to: Place::Client,
            at: sent,
            arrives: Some(at),
            what,
        });
    }

    fn set_timer(&mut self, node: u64, boot: u64, key: u64, at: Option<u64>) {
        let Some(replica) = self.nodes.get_mut(&node) else {
            return;
        };
        let setting = replica.timers.entry(key).or_default();
        *setting += 1;
        let setting = *setting;
        if let Some(at) = at {
            let span = at.saturating_sub(self.time);
            let what = Wake::Timer { key, setting };
            let timer = Event::Wake { node, boot, what };
            self.after(span, timer);
        }
    }
}

/// What is worth showing of a log operation.
fn shown(op: &GroupLogOp) -> Option<String> {
    match &op.op {
        LogOp::Append { stream, entry } if *stream == DISCARDS => journaled(entry),
        LogOp::Reset { stream, .. } if *stream == DISCARDS => None,
        LogOp::Append { entry, .. } => Some(entry.last().to_string()),
        LogOp::Truncate { last, .. } => Some(format!("truncation after {}", last.0)),
        LogOp::Reset { base, .. } => Some(format!("reset after {base}")),
        LogOp::HardState(_) | LogOp::Checkpoint { .. } | LogOp::Repaired => None,
    }
}

/// What a message says, unless it is a mere sign of life.
fn described(message: &Message) -> Option<String> {
    Some(match message {
        Message::Append(append) if append.entries.is_empty() => {
            format!("visible up to {}", append.commit.0)
        }
        Message::Append(append) => {
            let entries: Vec<String> = append
                .entries
                .iter()
                .map(|entry| entry.last().to_string())
                .collect();
            format!("append {}", entries.join(" "))
        }
        Message::Ack(ack) => format!("durable up to {}", ack.durable.0),
        Message::Reject(reject) => format!("go on from {}", reject.hint),
        Message::Fenced(fenced) => format!("fenced: epoch {} is in force", fenced.seen.0),
        Message::VoteRequest(request) => format!("asks for a vote in epoch {}", request.epoch.0),
        Message::Vote(vote) if vote.is_granted => format!("votes in epoch {}", vote.epoch.0),
        Message::Vote(vote) => format!("no vote in epoch {}", vote.epoch.0),
        Message::BlankVote(vote) if vote.is_granted => {
            format!("votes blank in epoch {}", vote.epoch.0)
        }
        Message::BlankVote(vote) => format!("no vote in epoch {}", vote.epoch.0),
        Message::TakeOver(wish) => format!("take over from epoch {}", wish.epoch.0),
        Message::Quiesce(_) => "will be silent".to_owned(),
        Message::Welcome(_) => "knows it by its disk".to_owned(),
        // On empty disks; it would hide what a figure is about.
        Message::RecoveryRequest(_) | Message::RecoveryAnswer(_) => return None,
    })
}

/// What the journal of discarded writes says.
fn journaled(entry: &Entry) -> Option<String> {
    match Mark::from_bytes(&entry.body).ok()? {
        Mark::Entry { entry, .. } => Some(format!("journal: {} is discarded", entry.last())),
        Mark::Unlisted { records, .. } => Some(format!("journal: {records} are discarded")),
        Mark::Settled { records, .. } => Some(format!("journal: {} settled", records.len())),
    }
}
