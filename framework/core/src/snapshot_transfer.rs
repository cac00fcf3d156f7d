//! Moving a snapshot from one node to another: pulled by the receiver, chunk by chunk.
//!
//! ```text
//! sender                          receiver
//!   Offer{header}      ->
//!                      <-         Want{position, from, count}     from = chunks it has already
//!   Chunk{index} ...   ->                                         stored in order, checked
//!                      <-         Want ...                        the next window
//!                      <-         Done{position, installed}
//! ```
//!
//! The receiver keeps all state that matters; what is lost, it asks for again. A transfer that broke
//! off at any chunk, by a cut link or a crash of either side, goes on at that chunk when the same
//! snapshot is offered again. Chunks are numbered, never named: no path crosses the wire.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::limits::SNAPSHOT_CHUNK_MAX;
use crate::{Class, DecodeError, EntryId, Mono, NodeId, SnapshotHeader, WireMessage};

/// Chunks asked for at once: enough to keep a link busy, little enough to bound the outbox.
pub const WINDOW_CHUNKS: u32 = 16;

/// Silence after which the receiver asks again.
const RETRY: Duration = Duration::from_secs(1);

/// Silence after which the receiver takes another offer, even of an older snapshot.
const SILENCE: Duration = Duration::from_millis(2400);

/// Most chunks of one snapshot; keeps an offer within a frame.
const CHUNKS_MAX: usize = 160 * 1024;

/// What the two sides say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotMessage {
    /// "I need one": the receiver's own wish, when it cannot be joined to the sender's log.
    Request,
    /// "This is the one."
    Offer(SnapshotHeader),
    /// "Send me these chunks."
    Want {
        /// Which snapshot.
        position: EntryId,
        /// The first chunk wanted.
        from: u32,
        /// How many.
        count: u32,
    },
    /// A chunk.
    Chunk {
        /// Which snapshot.
        position: EntryId,
        /// Its number.
        index: u32,
        /// Its rows.
        rows: Bytes,
    },
    /// "I am done with it."
    Done {
        /// Which snapshot.
        position: EntryId,
        /// Whether it is in force at the receiver.
        installed: bool,
    },
}

/// The part of a message that postcard writes. Append-only.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum SnapshotHead {
    /// See [`SnapshotMessage::Request`].
    Request,
    /// See [`SnapshotMessage::Offer`]; the header is in the body.
    Offer,
    /// See [`SnapshotMessage::Want`].
    Want {
        /// Which snapshot.
        position: EntryId,
        /// The first chunk wanted.
        from: u32,
        /// How many.
        count: u32,
    },
    /// See [`SnapshotMessage::Chunk`]; the rows are the body.
    Chunk {
        /// Which snapshot.
        position: EntryId,
        /// Its number.
        index: u32,
    },
    /// See [`SnapshotMessage::Done`].
    Done {
        /// Which snapshot.
        position: EntryId,
        /// Whether it is in force at the receiver.
        installed: bool,
    },
}

impl WireMessage for SnapshotMessage {
    type Head = SnapshotHead;

    fn into_parts(self) -> (SnapshotHead, Bytes) {
        match self {
            Self::Request => (SnapshotHead::Request, Bytes::new()),
            Self::Offer(header) => {
                // Serialising a flat header into a growing vector has no failure path.
                let body = postcard::to_stdvec(&header).unwrap_or_default();
                (SnapshotHead::Offer, body.into())
            }
            Self::Want {
                position,
                from,
                count,
            } => (
                SnapshotHead::Want {
                    position,
                    from,
                    count,
                },
                Bytes::new(),
            ),
            Self::Chunk {
                position,
                index,
                rows,
            } => (SnapshotHead::Chunk { position, index }, rows),
            Self::Done {
                position,
                installed,
            } => (
                SnapshotHead::Done {
                    position,
                    installed,
                },
                Bytes::new(),
            ),
        }
    }

    fn from_parts(head: SnapshotHead, body: Bytes) -> Result<Self, DecodeError> {
        if body.len() > SNAPSHOT_CHUNK_MAX {
            let (len, max) = (body.len() as u64, SNAPSHOT_CHUNK_MAX as u64);
            return Err(DecodeError::TooLong {
                field: "chunk",
                len,
                max,
            });
        }
        Ok(match head {
            SnapshotHead::Request => Self::Request,
            SnapshotHead::Offer => {
                let (header, rest): (SnapshotHeader, _) =
                    postcard::take_from_bytes(&body).map_err(|_| DecodeError::Head)?;
                if !rest.is_empty() || header.chunks.len() > CHUNKS_MAX {
                    return Err(DecodeError::Head);
                }
                Self::Offer(header)
            }
            SnapshotHead::Want {
                position,
                from,
                count,
            } => Self::Want {
                position,
                from,
                count,
            },
            SnapshotHead::Chunk { position, index } => Self::Chunk {
                position,
                index,
                rows: body,
            },
            SnapshotHead::Done {
                position,
                installed,
            } => Self::Done {
                position,
                installed,
            },
        })
    }

    fn class(&self) -> Class {
        Class::Bulk
    }
}

/// The chunks that a `Want` asks of a snapshot, within its length and the window.
pub fn wanted_chunks(header: &SnapshotHeader, from: u32, count: u32) -> std::ops::Range<u32> {
    let len = u32::try_from(header.chunks.len()).unwrap_or(u32::MAX);
    let start = from.min(len);
    start..start.saturating_add(count.min(WINDOW_CHUNKS)).min(len)
}

/// What to do with a chunk that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkVerdict {
    /// Not the next one, or damaged: drop it.
    Ignored,
    /// Store it; then send the message, if any.
    Stored(Option<SnapshotMessage>),
    /// Store it: the snapshot is complete. Load it, then answer `Done`.
    Complete,
}

/// The receiving side of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotReceiver {
    header: SnapshotHeader,
    from: NodeId,
    next: u32,
    asked_upto: u32,
    /// When the sender was last heard of.
    heard: Mono,
    /// When it was last asked after silence.
    asked: Mono,
}

impl SnapshotReceiver {
    /// Takes an offer up. `have` chunks of that very snapshot are stored already. Returns what to
    /// ask for; `None` when the snapshot is complete.
    pub fn accept(
        header: SnapshotHeader,
        from: NodeId,
        have: u32,
        now: Mono,
    ) -> (Self, Option<SnapshotMessage>) {
        let mut receiver = Self {
            header,
            from,
            next: have,
            asked_upto: have,
            heard: now,
            asked: now,
        };
        let want = receiver.ask();
        (receiver, want)
    }

    /// What is being received.
    pub const fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// From whom.
    pub const fn from(&self) -> NodeId {
        self.from
    }

    /// Chunks stored so far.
    pub const fn stored(&self) -> u32 {
        self.next
    }

    /// Whether to give this transfer up for another offer: for a newer snapshot at once, for any other
    /// when its sender has been silent, since it may be gone for good while another one leads.
    pub fn yields_to(&self, header: &SnapshotHeader, from: NodeId, now: Mono) -> bool {
        if self.from == from && self.header == *header {
            return false;
        }
        header.position.lsn > self.header.position.lsn || now.since(self.heard) >= SILENCE
    }

    /// Whether every chunk is stored.
    pub fn is_complete(&self) -> bool {
        self.next as usize >= self.header.chunks.len()
    }

    /// Takes a chunk.
    pub fn chunk(&mut self, position: EntryId, index: u32, rows: &[u8], now: Mono) -> ChunkVerdict {
        let expected = self.header.chunks.get(self.next as usize).copied();
        let fits = position == self.header.position && index == self.next;
        if !fits || expected != Some(crc32c::crc32c(rows)) {
            return ChunkVerdict::Ignored;
        }
        self.heard = now;
        self.next += 1;
        if self.is_complete() {
            return ChunkVerdict::Complete;
        }
        // Half a window ahead, so that the link never runs dry.
        let low = self.asked_upto.saturating_sub(self.next) <= WINDOW_CHUNKS / 2;
        ChunkVerdict::Stored(if low { self.ask_more() } else { None })
    }

    /// Asks again after silence.
    pub fn tick(&mut self, now: Mono) -> Option<SnapshotMessage> {
        if self.is_complete() || now.since(self.heard.max(self.asked)) < RETRY {
            return None;
        }
        self.asked = now;
        self.ask()
    }

    fn ask(&mut self) -> Option<SnapshotMessage> {
        self.asked_upto = self.next;
        self.ask_more()
    }

    fn ask_more(&mut self) -> Option<SnapshotMessage> {
        let from = self.asked_upto;
        let until = wanted_chunks(&self.header, from, WINDOW_CHUNKS).end;
        self.asked_upto = until;
        let count = until.saturating_sub(from);
        let position = self.header.position;
        (count > 0).then_some(SnapshotMessage::Want {
            position,
            from,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigEpoch, FormatTag, GroupId, LeaderEpoch, Lsn};

    fn header(chunks: &[&[u8]]) -> SnapshotHeader {
        SnapshotHeader {
            group: GroupId::new(1, 0),
            config_epoch: ConfigEpoch(1),
            position: EntryId::new(LeaderEpoch(2), Lsn(50)),
            feature_level: 1,
            format: FormatTag(1),
            frontier: Bytes::from_static(b"f"),
            chunks: chunks.iter().map(|rows| crc32c::crc32c(rows)).collect(),
            bytes: 0,
        }
    }

    #[test]
    fn a_silent_sender_gives_way_to_any_other_and_a_lively_one_to_newer_snapshots() {
        let header = header(&[b"a", b"b"]);
        let mut newer = header.clone();
        newer.position.lsn = Lsn(51);
        let (mut receiver, _) = SnapshotReceiver::accept(header.clone(), NodeId(1), 0, Mono(0));
        let late = Mono(0).after(SILENCE);
        assert!(!receiver.yields_to(&header, NodeId(1), late));
        assert!(!receiver.yields_to(&header, NodeId(2), Mono(1)));
        assert!(receiver.yields_to(&newer, NodeId(2), Mono(1)));
        assert!(receiver.tick(Mono(0).after(RETRY)).is_some(), "asks again");
        assert!(receiver.yields_to(&header, NodeId(2), late));
        receiver.chunk(header.position, 0, b"a", late);
        assert!(!receiver.yields_to(&header, NodeId(2), late));
    }

    #[test]
    fn every_chunk_is_asked_for_once_without_loss() {
        let rows: Vec<Vec<u8>> = (0_u8..100).map(|i| vec![i]).collect();
        let chunks: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let header = header(&chunks);
        let (mut receiver, want) = SnapshotReceiver::accept(header.clone(), NodeId(1), 0, Mono(0));
        let mut wants = std::collections::VecDeque::from_iter(want);
        let mut sent = 0;
        while let Some(SnapshotMessage::Want {
            position,
            from,
            count,
        }) = wants.pop_front()
        {
            for index in wanted_chunks(&header, from, count) {
                sent += 1;
                let rows = &rows[index as usize];
                match receiver.chunk(position, index, rows, Mono(0)) {
                    ChunkVerdict::Stored(more) => wants.extend(more),
                    verdict => assert_eq!(verdict, ChunkVerdict::Complete),
                }
            }
        }
        assert!(receiver.is_complete());
        assert_eq!(sent, 100);
    }

    #[test]
    fn a_transfer_resumes_where_it_broke_off() {
        let header = header(&[b"a", b"b", b"c"]);
        let (receiver, want) = SnapshotReceiver::accept(header.clone(), NodeId(1), 2, Mono(0));
        let position = header.position;
        assert_eq!(
            want,
            Some(SnapshotMessage::Want {
                position,
                from: 2,
                count: 1
            })
        );
        assert_eq!(receiver.stored(), 2);
    }

    #[test]
    fn damaged_and_unexpected_chunks_are_dropped_and_asked_for_again() {
        let header = header(&[b"a", b"b"]);
        let position = header.position;
        let (mut receiver, _) = SnapshotReceiver::accept(header, NodeId(1), 0, Mono(0));
        assert_eq!(
            receiver.chunk(position, 1, b"b", Mono(0)),
            ChunkVerdict::Ignored
        );
        assert_eq!(
            receiver.chunk(position, 0, b"x", Mono(0)),
            ChunkVerdict::Ignored
        );
        assert_eq!(receiver.tick(Mono(1)), None);
        let again = receiver.tick(Mono(1_000_000_000));
        assert_eq!(
            again,
            Some(SnapshotMessage::Want {
                position,
                from: 0,
                count: 2
            })
        );
    }

    #[test]
    fn messages_survive_the_wire() {
        let position = EntryId::new(LeaderEpoch(2), Lsn(50));
        for message in [
            SnapshotMessage::Request,
            SnapshotMessage::Offer(header(&[b"a"])),
            SnapshotMessage::Want {
                position,
                from: 3,
                count: 4,
            },
            SnapshotMessage::Chunk {
                position,
                index: 7,
                rows: Bytes::from_static(b"rows"),
            },
            SnapshotMessage::Done {
                position,
                installed: true,
            },
        ] {
            assert_eq!(
                SnapshotMessage::decode(message.clone().encode()),
                Ok(message)
            );
        }
    }
}
