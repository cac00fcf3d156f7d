//! What neighbours in a chain say to each other, and how it is written.
//!
//! | message | from | says |
//! |---|---|---|
//! | `Forward` | predecessor | here is what follows `prev`; I hold it durably. Without entries: news of what is committed |
//! | `Held` | successor | this much of your log I hold durably, and this much the tail holds |

use bytes::{Bytes, BytesMut};
use repertoire_core::{Class, DecodeError, Entry, EntryId, LeaderEpoch, WireMessage};
use serde::{Deserialize, Serialize};

/// Entries, and what is committed, on their way down the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The newest leadership that the sender knows: the boot of the head that it obeys.
    pub epoch: LeaderEpoch,
    /// The record before the first entry.
    pub prev: EntryId,
    /// Everything up to here is committed, and its clients may have heard so.
    pub commit: EntryId,
    /// Consecutive entries after `prev`.
    pub entries: Vec<Entry>,
}

/// Acknowledgements on their way up the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The sender holds everything up to here durably.
    pub have: EntryId,
    /// The tail does, as far as the sender knows.
    pub through: EntryId,
    /// The sender lacks what follows `have`, and whatever is under way may be lost.
    pub asks: bool,
}

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// See [`Forward`].
    Forward(Forward),
    /// See [`Held`].
    Held(Held),
}

/// The part of a message that the framework writes with postcard. Entries travel in the body, so that
/// their bytes are never parsed on the way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Head {
    /// A [`Forward`] with so many entries.
    Forward {
        /// See [`Forward::epoch`].
        epoch: LeaderEpoch,
        /// See [`Forward::prev`].
        prev: EntryId,
        /// See [`Forward::commit`].
        commit: EntryId,
        /// Entries in the body, one after the other.
        count: u16,
    },
    /// See [`Held`].
    Held(Held),
}

impl WireMessage for Message {
    type Head = Head;

    fn into_parts(self) -> (Head, Bytes) {
        match self {
            Self::Held(held) => (Head::Held(held), Bytes::new()),
            Self::Forward(Forward {
                epoch,
                prev,
                commit,
                entries,
            }) => {
                let mut body = BytesMut::new();
                entries
                    .iter()
                    .for_each(|entry| entry.encode_into(&mut body));
                // The sender packs far fewer; see `links`.
                let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
                let head = Head::Forward {
                    epoch,
                    prev,
                    commit,
                    count,
                };
                (head, body.freeze())
            }
        }
    }

    fn from_parts(head: Head, mut body: Bytes) -> Result<Self, DecodeError> {
        let message = match head {
            Head::Held(held) => Self::Held(held),
            Head::Forward {
                epoch,
                prev,
                commit,
                count,
            } => {
                let mut entries = Vec::new();
                for _ in 0..count {
                    entries.push(Entry::decode(&mut body)?);
                }
                check_order(epoch, prev, &entries)?;
                Self::Forward(Forward {
                    epoch,
                    prev,
                    commit,
                    entries,
                })
            }
        };
        match body.len() {
            0 => Ok(message),
            extra => Err(DecodeError::Trailing { extra }),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Forward(forward) if !forward.entries.is_empty() => Class::Replication,
            Self::Forward(_) | Self::Held(_) => Class::Control,
        }
    }
}

/// Entries follow each other without holes, and none is newer than the sender's authority. Checked
/// once, where bytes become messages: what a peer says is never trusted.
fn check_order(epoch: LeaderEpoch, prev: EntryId, entries: &[Entry]) -> Result<(), DecodeError> {
    let mut last = prev;
    for entry in entries {
        let follows = last.lsn.0.checked_add(1) == Some(entry.first.0);
        if !follows || entry.epoch < last.epoch || entry.epoch > epoch {
            return Err(DecodeError::Invalid {
                field: "forwarded entries",
                value: entry.first.0,
            });
        }
        last = entry.last();
    }
    Ok(())
}
