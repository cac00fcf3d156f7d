//! The two links of a replica. A successor asks and acknowledges, a predecessor only answers: so that
//! whoever was away or missed something has to know nothing but the end of its own log.

use repertoire_core::{
    Effects, Entry, EntryId, LogRead, LogSlice, Lsn, NodeId, Now, SnapshotOrder, Ticket,
};

use crate::log::STREAM;
use crate::message::{Forward, Held};
use crate::{Chain, Message, Timer};

/// Bytes of entries in one message, unless one entry alone is larger: a frame holds twice as much.
const FORWARD_BYTES: usize = 512 * 1024;

/// Entries in one message at most.
const FORWARD_ENTRIES: usize = 4096;

/// The link to the predecessor.
#[derive(Debug)]
pub(crate) struct Upstream {
    node: NodeId,
    /// What was reported last.
    reported: (EntryId, EntryId),
    /// A report is due although nothing has changed.
    owes: bool,
    /// The next report asks the predecessor to go on from there.
    asks: bool,
    /// Whether the predecessor was heard since the timer was set.
    was_heard: bool,
}

/// The link to the successor.
#[derive(Debug)]
pub(crate) struct Downstream {
    node: NodeId,
    /// The first record to send next; unknown until the successor has said what it holds.
    next: Option<Lsn>,
    /// Entries are under way, in one message at a time: what gathers meanwhile travels together.
    is_busy: bool,
    /// What it was last told to be committed; unknown when that may be lost.
    told: Option<EntryId>,
    /// Entries that are no longer in memory are being read from the log.
    reading: Option<Ticket>,
}

impl Upstream {
    pub(crate) fn new(node: NodeId) -> Self {
        Self {
            node,
            reported: (EntryId::ZERO, EntryId::ZERO),
            owes: false,
            asks: true,
            was_heard: false,
        }
    }
}

impl Downstream {
    pub(crate) fn new(node: NodeId) -> Self {
        Self {
            node,
            next: None,
            is_busy: false,
            told: None,
            reading: None,
        }
    }
}

impl Chain {
    /// Only neighbours are listened to, each to what is its part to say.
    pub(crate) fn on_message(&mut self, from: NodeId, message: Message, fx: &mut Effects<Message>) {
        match message {
            Message::Forward(forward) if self.place.predecessor == Some(from) => {
                self.on_forward(forward, fx);
            }
            Message::Held(held) if self.place.successor == Some(from) => self.on_held(held, fx),
            Message::Forward(_) | Message::Held(_) => fx.count("message-from-stranger", from.0),
        }
    }

    /// Entries of the predecessor: those that follow the end of this log are appended.
    // ANCHOR: forward
    fn on_forward(&mut self, forward: Forward, fx: &mut Effects<Message>) {
        if forward.epoch < self.epoch() {
            // Said by, or in the name of, a former self of the head.
            fx.count("forward-fenced", forward.epoch.0);
            return;
        }
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        upstream.was_heard = true;
        if forward.commit.lsn > self.commit.lsn {
            self.commit = forward.commit;
        }
        if forward.entries.is_empty() {
            return;
        }
        if !self.log.contains(forward.prev) {
            upstream.asks = true;
            return;
        }
        let last = self.log.last.lsn;
        upstream.owes = true;
        for entry in forward.entries {
            // What is here already was sent again, or late.
            if entry.first > last {
                self.log.append(entry, fx);
                upstream.owes = false;
            }
        }
    }
    // ANCHOR_END: forward

    /// Tells the predecessor what is durable here and what the tail holds, when that has changed.
    pub(crate) fn report(&mut self, fx: &mut Effects<Message>) {
        let have = self.log.id_at(self.log.durable);
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        let (now, asks) = ((have, self.through), upstream.asks);
        if now != upstream.reported || upstream.owes || asks {
            (upstream.reported, upstream.owes, upstream.asks) = (now, false, false);
            let through = self.through;
            let held = Held {
                have,
                through,
                asks,
            };
            fx.send(upstream.node, Message::Held(held));
        }
    }

    /// The predecessor is heard again after a while: something may be lost.
    pub(crate) fn ask_again(&mut self, peer: NodeId) {
        if let Some(upstream) = self.upstream.as_mut().filter(|link| link.node == peer) {
            upstream.asks = true;
        }
    }

    /// Asks a silent predecessor: what it said, or what it was told, may be lost. While something is on
    /// its way to the disk here there is no hurry: a report follows.
    pub(crate) fn on_timer(&mut self, now: Now, timer: Option<Timer>, fx: &mut Effects<Message>) {
        if let (Some(Timer::Ask), Some(upstream)) = (timer, &mut self.upstream) {
            let is_idle = self.log.durable == self.log.last.lsn;
            upstream.asks |= is_idle && !std::mem::take(&mut upstream.was_heard);
            fx.set_timer_in(Timer::Ask, now.mono, self.config.ask_interval());
        }
    }

    /// The successor says what it holds: what follows is sent next.
    // ANCHOR: held
    fn on_held(&mut self, held: Held, fx: &mut Effects<Message>) {
        let Some(downstream) = &mut self.downstream else {
            return;
        };
        let have = held.have.lsn;
        if have <= self.log.last.lsn && !self.log.contains(held.have) {
            // It followed another head's log. Nothing here can tell whose is right.
            fx.count("successor-contradicts", have.0);
            return;
        }
        if held.through.lsn > self.through.lsn {
            self.through = held.through;
        }
        // An older answer says nothing, unless the successor means it.
        if held.asks || downstream.next.is_none_or(|next| have.next() >= next) {
            downstream.next = Some(have.next());
            (downstream.is_busy, downstream.reading) = (false, None);
        }
        if held.asks {
            downstream.told = None;
        }
    }
    // ANCHOR_END: held

    /// Sends what the successor lacks and is durable here, and what is committed.
    // ANCHOR: feed
    pub(crate) fn feed(&mut self, fx: &mut Effects<Message>) {
        let durable = self.log.may_be_forwarded();
        let Some(downstream) = &mut self.downstream else {
            return;
        };
        let Some(next) = downstream.next else {
            return;
        };
        if next <= durable && !downstream.is_busy {
            downstream.is_busy = true;
            let in_memory = self.log.from(next);
            if let Some(entries) = in_memory.map(|entries| pack(entries, durable)) {
                self.forward(entries, fx);
            } else {
                self.read_back(next, fx);
            }
        }
        let told = self.downstream.as_ref().and_then(|link| link.told);
        if told != Some(self.commit) {
            self.forward(Vec::new(), fx);
        }
    }
    // ANCHOR_END: feed

    fn forward(&mut self, entries: Vec<Entry>, fx: &mut Effects<Message>) {
        let (epoch, commit) = (self.epoch(), self.commit);
        let Some(downstream) = &mut self.downstream else {
            return;
        };
        downstream.told = Some(commit);
        let mut prev = EntryId::ZERO;
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            prev = self.log.id_at(Lsn(first.first.0.saturating_sub(1)));
            downstream.next = Some(last.last_lsn().next());
        }
        let forward = Forward {
            epoch,
            prev,
            commit,
            entries,
        };
        fx.send(downstream.node, Message::Forward(forward));
    }

    /// Orders entries from the log that are no longer in memory. They are applied, so every replica held
    /// them once: the successor has lost its disk, or part of it.
    fn read_back(&mut self, from: Lsn, fx: &mut Effects<Message>) {
        let ticket = fx.next_ticket();
        if let Some(downstream) = &mut self.downstream {
            downstream.reading = Some(ticket);
        }
        fx.log_reads.push(LogRead {
            ticket,
            stream: STREAM,
            from,
            bytes_max: FORWARD_BYTES,
        });
    }

    /// Entries for a successor that is far behind, or news that only a snapshot can help it.
    pub(crate) fn on_log_read(
        &mut self,
        ticket: Ticket,
        slice: LogSlice,
        fx: &mut Effects<Message>,
    ) {
        let Some(downstream) = &mut self.downstream else {
            return;
        };
        if downstream.reading != Some(ticket) {
            return;
        }
        downstream.reading = None;
        match slice {
            LogSlice::Entries(entries) => {
                let next = downstream.next.unwrap_or_default();
                let wanted = entries.iter().skip_while(|entry| entry.first < next);
                let entries = pack(wanted, self.log.durable);
                self.forward(entries, fx);
            }
            // The framework makes it, transfers it and installs it; then the successor asks again.
            LogSlice::Trimmed { base } => fx.snapshots.push(SnapshotOrder::Send {
                to: downstream.node,
                base: base.lsn,
            }),
        }
    }
}

/// The durable entries of one message.
fn pack<'a>(entries: impl Iterator<Item = &'a Entry>, durable: Lsn) -> Vec<Entry> {
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        let is_first = bytes == 0;
        bytes += entry.encoded_len();
        entry.last_lsn() <= durable && (is_first || bytes <= FORWARD_BYTES)
    };
    entries
        .take(FORWARD_ENTRIES)
        .take_while(fits)
        .cloned()
        .collect()
}
