//! Messages as bytes.
//!
//! An `Append` with one entry carries the entry's head in its own head and the entry's body as its
//! body, so that bodies are never copied. Several small entries are concatenated: one copy of a few
//! hundred bytes costs less than a frame.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use repertoire_core::{
    Class, DecodeError, ENTRY_HEAD_LEN, Entry, EntryId, EntryKind, Incarnation, LeaderEpoch, Lsn,
    Membership, WireMessage,
};

use crate::message::{
    Ack, Append, Fenced, Heard, Message, Quiesce, RecoveryAnswer, RecoveryRequest, Reject,
    TakeOver, Vote, VoteRequest, Welcome,
};

/// Most entries in one message: a bound on the work that one message can cause.
pub(crate) const ENTRIES_MAX: usize = 4096;

/// The part of an [`Append`] that postcard writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendHead {
    epoch: LeaderEpoch,
    round: u64,
    prev: EntryId,
    commit: Lsn,
    /// Entries in the body, when they are encoded there whole.
    packed: u16,
}

/// The part of a message that postcard writes. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Head {
    /// An [`Append`] whose entries, if any, are encoded in the body one after the other.
    Append(AppendHead),
    /// An [`Append`] of one entry: its encoded head is here, its body is the message's body.
    AppendOne(
        AppendHead,
        #[serde(with = "entry_head")] [u8; ENTRY_HEAD_LEN],
    ),
    /// See [`Ack`].
    Ack(Ack),
    /// See [`Reject`].
    Reject(Reject),
    /// See [`Fenced`].
    Fenced(Fenced),
    /// See [`VoteRequest`].
    VoteRequest(VoteRequest),
    /// See [`Vote`].
    Vote(Vote),
    /// See [`TakeOver`].
    TakeOver(TakeOver),
    /// See [`RecoveryRequest`].
    RecoveryRequest(RecoveryRequest),
    /// See [`RecoveryAnswer`].
    RecoveryAnswer(RecoveryAnswer),
    /// See [`Message::BlankVote`].
    BlankVote(Vote),
    /// See [`Quiesce`].
    Quiesce(Quiesce),
    /// An [`Append`] without entries that says what the leader has heard.
    Beat(AppendHead, Heard),
    /// See [`Welcome`].
    Welcome(Welcome),
    /// A [`VoteRequest`] that names the voter's disk.
    VoteRequestOf(VoteRequest, Incarnation),
}

/// Serde for a fixed array that is longer than the 32 elements serde itself knows.
mod entry_head {
    use bytes::Bytes;
    use repertoire_core::{ENTRY_HEAD_LEN, blob};
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        head: &[u8; ENTRY_HEAD_LEN],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(head)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; ENTRY_HEAD_LEN], D::Error> {
        let bytes: Bytes = blob::deserialize(deserializer)?;
        let wrong = |_| D::Error::invalid_length(bytes.len(), &"an entry's head");
        <[u8; ENTRY_HEAD_LEN]>::try_from(bytes.as_ref()).map_err(wrong)
    }
}

impl Append {
    /// Whether the entries follow `prev` and each other, in LSN and epoch, and none is newer than
    /// the sender's authority. Checked once, where bytes become messages.
    fn check(&self) -> Result<(), DecodeError> {
        let mut last = self.prev;
        for entry in &self.entries {
            let next = last.lsn.0.checked_add(1);
            let follows = Some(entry.first.0) == next && entry.epoch >= last.epoch;
            if !follows || entry.epoch > self.epoch {
                return Err(DecodeError::Invalid {
                    field: "append entries",
                    value: entry.first.0,
                });
            }
            // A change of the members that cannot be read cannot be ignored either.
            if entry.kind == EntryKind::Config && Membership::decode(&entry.body).is_none() {
                return Err(DecodeError::Invalid {
                    field: "members",
                    value: entry.first.0,
                });
            }
            last = entry.last();
        }
        Ok(())
    }

    fn into_parts(mut self) -> (Head, Bytes) {
        let head = AppendHead {
            epoch: self.epoch,
            round: self.round,
            prev: self.prev,
            commit: self.commit,
            packed: 0,
        };
        if self.entries.len() == 1
            && let Some(entry) = self.entries.pop()
        {
            return (Head::AppendOne(head, entry.encode_head()), entry.body);
        }
        if let (Some(heard), true) = (self.heard, self.entries.is_empty()) {
            return (Head::Beat(head, heard), Bytes::new());
        }
        let packed = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let len = self.entries.iter().map(Entry::encoded_len).sum();
        let mut body = BytesMut::with_capacity(len);
        for entry in &self.entries {
            entry.encode_into(&mut body);
        }
        (Head::Append(AppendHead { packed, ..head }), body.freeze())
    }

    fn from_parts(
        head: AppendHead,
        heard: Option<Heard>,
        entries: Vec<Entry>,
    ) -> Result<Message, DecodeError> {
        let append = Self {
            epoch: head.epoch,
            round: head.round,
            prev: head.prev,
            commit: head.commit,
            heard,
            entries,
        };
        append.check()?;
        Ok(Message::Append(append))
    }
}

fn unpack(packed: u16, mut body: Bytes) -> Result<Vec<Entry>, DecodeError> {
    let count = usize::from(packed);
    if count > ENTRIES_MAX {
        return Err(DecodeError::TooLong {
            field: "append entries",
            len: count as u64,
            max: ENTRIES_MAX as u64,
        });
    }
    // Each entry has a head at least: a count that the bytes cannot hold allocates nothing.
    let mut entries = Vec::with_capacity(count.min(body.len() / ENTRY_HEAD_LEN));
    for _ in 0..count {
        entries.push(Entry::decode(&mut body)?);
    }
    expect_empty(&body)?;
    Ok(entries)
}

/// Puts an entry together whose head travelled apart from its body.
fn join(head: [u8; ENTRY_HEAD_LEN], body: Bytes) -> Result<Entry, DecodeError> {
    // `Entry::decode` wants the declared length behind the head; lend it a head that declares an
    // empty body, so that the real one need not be copied to stand there.
    let (fields, declared) = head.split_at(ENTRY_HEAD_LEN - 4);
    let declared = <[u8; 4]>::try_from(declared).map(u32::from_le_bytes);
    if declared.ok().map(|len| len as usize) != Some(body.len()) {
        return Err(DecodeError::Truncated {
            field: "entry body",
        });
    }
    let mut lent = Bytes::from([fields, &[0; 4]].concat());
    Ok(Entry {
        body,
        ..Entry::decode(&mut lent)?
    })
}

fn expect_empty(body: &Bytes) -> Result<(), DecodeError> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::Trailing { extra: body.len() })
    }
}

impl WireMessage for Message {
    type Head = Head;

    fn into_parts(self) -> (Head, Bytes) {
        match self {
            Self::Append(append) => append.into_parts(),
            Self::Ack(ack) => (Head::Ack(ack), Bytes::new()),
            Self::Reject(reject) => (Head::Reject(reject), Bytes::new()),
            Self::Fenced(fenced) => (Head::Fenced(fenced), Bytes::new()),
            Self::VoteRequest(request) => match request.voter {
                Some(disk) => (Head::VoteRequestOf(request, disk), Bytes::new()),
                None => (Head::VoteRequest(request), Bytes::new()),
            },
            Self::Welcome(welcome) => (Head::Welcome(welcome), Bytes::new()),
            Self::Vote(vote) => (Head::Vote(vote), Bytes::new()),
            Self::TakeOver(wish) => (Head::TakeOver(wish), Bytes::new()),
            Self::RecoveryRequest(request) => (Head::RecoveryRequest(request), Bytes::new()),
            Self::RecoveryAnswer(answer) => (Head::RecoveryAnswer(answer), Bytes::new()),
            Self::BlankVote(vote) => (Head::BlankVote(vote), Bytes::new()),
            Self::Quiesce(quiesce) => (Head::Quiesce(quiesce), Bytes::new()),
        }
    }

    fn from_parts(head: Head, body: Bytes) -> Result<Self, DecodeError> {
        match head {
            Head::Append(head) => Append::from_parts(head, None, unpack(head.packed, body)?),
            Head::AppendOne(head, entry) => {
                Append::from_parts(head, None, vec![join(entry, body)?])
            }
            Head::Ack(ack) => expect_empty(&body).map(|()| Self::Ack(ack)),
            Head::Reject(reject) => expect_empty(&body).map(|()| Self::Reject(reject)),
            Head::Fenced(fenced) => expect_empty(&body).map(|()| Self::Fenced(fenced)),
            Head::VoteRequest(request) => expect_empty(&body).map(|()| Self::VoteRequest(request)),
            Head::Vote(vote) => expect_empty(&body).map(|()| Self::Vote(vote)),
            Head::TakeOver(wish) => expect_empty(&body).map(|()| Self::TakeOver(wish)),
            Head::RecoveryRequest(request) => {
                expect_empty(&body).map(|()| Self::RecoveryRequest(request))
            }
            Head::RecoveryAnswer(answer) => {
                expect_empty(&body).map(|()| Self::RecoveryAnswer(answer))
            }
            Head::BlankVote(vote) => expect_empty(&body).map(|()| Self::BlankVote(vote)),
            Head::Quiesce(quiesce) => expect_empty(&body).map(|()| Self::Quiesce(quiesce)),
            Head::Welcome(welcome) => expect_empty(&body).map(|()| Self::Welcome(welcome)),
            Head::VoteRequestOf(request, disk) => {
                expect_empty(&body)?;
                let voter = Some(disk);
                Ok(Self::VoteRequest(VoteRequest { voter, ..request }))
            }
            Head::Beat(head, heard) => {
                expect_empty(&body)?;
                Append::from_parts(head, Some(heard), Vec::new())
            }
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Append(append) if !append.entries.is_empty() => Class::Replication,
            Self::Append(_)
            | Self::Ack(_)
            | Self::Reject(_)
            | Self::Fenced(_)
            | Self::VoteRequest(_)
            | Self::Vote(_)
            | Self::TakeOver(_)
            | Self::RecoveryRequest(_)
            | Self::RecoveryAnswer(_)
            | Self::BlankVote(_)
            | Self::Quiesce(_)
            | Self::Welcome(_) => Class::Control,
        }
    }
}

#[cfg(test)]
#[path = "codec_test.rs"]
mod tests;
