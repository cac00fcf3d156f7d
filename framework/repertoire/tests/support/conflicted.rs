//! A protocol whose every write is a conflict: it is done when the keyspace's resolver has answered.

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire::core::{
    Admission, Boot, Capabilities, Class, Conflict, DecodeError, Descriptor, Effects, EntryId,
    Error, ErrorKind, Fate, Input, LeaderEpoch, Lsn, Now, Proposal, ProposalId, Protocol, Scope,
    Status, Ticket, TimerKey, WireMessage,
};

/// There are no messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {}

impl WireMessage for Message {
    type Head = u8;

    fn into_parts(self) -> (u8, Bytes) {
        match self {}
    }

    fn from_parts(head: u8, _body: Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::Invalid {
            field: "message",
            value: head.into(),
        })
    }

    fn class(&self) -> Class {
        match *self {}
    }
}

/// There are no timers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {}

impl TimerKey for Timer {
    fn to_key(self) -> u64 {
        match self {}
    }

    fn from_key(_key: u64) -> Option<Self> {
        None
    }
}

/// See the module's documentation.
pub(crate) struct Conflicted {
    last: Lsn,
    asked: BTreeMap<Ticket, ProposalId>,
}

impl Conflicted {
    fn propose(&mut self, proposal: &Proposal, fx: &mut Effects<Message>) {
        let first = EntryId::new(LeaderEpoch(1), self.last.next());
        self.last = self.last.plus(proposal.count.into());
        let id = proposal.id;
        fx.fates.push(Fate::Placed {
            proposal: id,
            first,
        });
        let ticket = fx.next_ticket();
        self.asked.insert(ticket, id);
        let siblings = vec![Bytes::from_static(b"left"), Bytes::from_static(b"right")];
        let key = Bytes::from_static(b"key");
        fx.resolves.push((ticket, Conflict { key, siblings }));
    }

    fn resolved(&mut self, ticket: Ticket, value: Option<Bytes>, fx: &mut Effects<Message>) {
        let Some(proposal) = self.asked.remove(&ticket) else {
            return;
        };
        fx.fates.push(match value {
            // The copies tell the test how long the resolver's answer was.
            Some(value) => Fate::Acked {
                through: proposal,
                copies: u8::try_from(value.len()).unwrap_or(u8::MAX),
            },
            None => Fate::Unknown {
                from: proposal,
                error: Box::new(Error::new(ErrorKind::Unavailable, "resolve")),
            },
        });
    }
}

impl Protocol for Conflicted {
    const NAME: &'static str = "conflicted";
    const SCOPE: Scope = Scope::Shard;
    type Config = ();
    type Message = Message;
    type Timer = Timer;

    fn capabilities(_config: &()) -> Capabilities {
        Capabilities::default()
    }

    fn validate(_descriptor: &Descriptor) -> Result<(), Error> {
        Ok(())
    }

    fn boot(boot: Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        fx.admission = Some(Admission::Open);
        Ok(Self {
            last: boot.applied.lsn,
            asked: BTreeMap::new(),
        })
    }

    fn step(&mut self, _now: Now, input: Input<'_, Message>, fx: &mut Effects<Message>) {
        match input {
            Input::Propose(proposals) => {
                for proposal in proposals.drain(..) {
                    self.propose(&proposal, fx);
                }
            }
            Input::Resolved { ticket, value } => self.resolved(ticket, value, fx),
            _ => {}
        }
    }

    fn flush(&mut self, _now: Now, _fx: &mut Effects<Message>) {}

    fn inspect(&self) -> Status {
        Status::default()
    }
}
