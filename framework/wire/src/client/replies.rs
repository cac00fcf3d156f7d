//! Many outcomes in one frame, in completion order.
//!
//! ```text
//! written run   1 | first u64 | count u32 | epoch u64 | first lsn u64 | durability u8 | copies u8
//! written       2 | request u64 | epoch u64 | lsn u64 | durability u8 | copies u8 | result blob
//! answered      3 | request u64 | position | answer
//! failed        4 | first u64 | count u32 | error
//! ```
//!
//! A run stands for plain writes with consecutive numbers that stand at consecutive positions:
//! 4,096 acknowledgements are one item of 31 bytes.

use bytes::Bytes;
use repertoire_core::limits::VALUE_MAX;
use repertoire_core::{Ack, Answer, DecodeError, Durability, EntryId, Error, Position};
use serde::{Deserialize, Serialize};

use super::answer::take_answer;
use super::failure::decode_error;
use super::position::{take_entry_id, take_position};
use super::shared::{take_blob, take_u8, take_u32, take_u64, with_cursor};
use crate::{Frame, WireError, decode_head};

pub(crate) const WRITTEN_RUN: u8 = 1;
pub(crate) const WRITTEN: u8 = 2;
pub(crate) const ANSWERED: u8 = 3;
pub(crate) const FAILED: u8 = 4;

/// Longest run, so that a short frame cannot stand for a long loop.
pub(crate) const RUN_MAX: u32 = 1 << 20;

#[derive(Serialize, Deserialize)]
pub(crate) struct RepliesHead {
    /// Bytes of request credit given back to the client.
    pub(crate) credit: u32,
}

/// One item of a reply frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyItem {
    /// Consecutive plain writes are done as promised: request `first + i` stands at
    /// `ack.position` plus `i` records.
    WrittenRun {
        /// The first request.
        first: u64,
        /// How many.
        count: u32,
        /// The acknowledgement of the first.
        ack: Ack,
    },
    /// A write that returned something is done as promised.
    Written {
        /// The request.
        request: u64,
        /// What the acknowledgement promises.
        ack: Ack,
        /// What the operation returned; a slice of the frame.
        result: Bytes,
    },
    /// A read was answered.
    Answered {
        /// The request.
        request: u64,
        /// The position the answer was read at.
        position: Position,
        /// What was found; slices of the frame.
        answer: Answer,
    },
    /// Consecutive requests were refused, failed or are unknown, for one reason.
    Failed {
        /// The first request.
        first: u64,
        /// How many.
        count: u32,
        /// Why.
        error: Box<Error>,
    },
}

/// A frame of outcomes.
#[derive(Clone, Debug)]
pub struct Replies {
    /// Bytes of request credit that the node gives back.
    pub credit: u32,
    body: Bytes,
}

impl Replies {
    pub(crate) fn from_frame(frame: Frame) -> Result<Self, WireError> {
        let head: RepliesHead = decode_head(&frame.head)?;
        Ok(Self {
            credit: head.credit,
            body: frame.body,
        })
    }

    /// The outcomes, in completion order. Ends after the first error.
    pub fn items(&self) -> impl Iterator<Item = Result<ReplyItem, DecodeError>> + use<> {
        let mut rest = self.body.clone();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let item = take_item(&mut rest);
            if item.is_err() {
                rest.clear();
            }
            Some(item)
        })
    }
}

fn take_item(bytes: &mut Bytes) -> Result<ReplyItem, DecodeError> {
    match take_u8(bytes, "reply")? {
        WRITTEN_RUN => Ok(ReplyItem::WrittenRun {
            first: take_u64(bytes, "request")?,
            count: take_run(bytes)?,
            ack: take_ack(bytes)?,
        }),
        WRITTEN => Ok(ReplyItem::Written {
            request: take_u64(bytes, "request")?,
            ack: take_ack(bytes)?,
            result: take_blob(bytes, VALUE_MAX, "result")?,
        }),
        ANSWERED => Ok(ReplyItem::Answered {
            request: take_u64(bytes, "request")?,
            position: with_cursor(bytes, take_position)?,
            answer: take_answer(bytes)?,
        }),
        FAILED => Ok(ReplyItem::Failed {
            first: take_u64(bytes, "request")?,
            count: take_run(bytes)?,
            error: Box::new(with_cursor(bytes, decode_error)?),
        }),
        other => Err(DecodeError::Invalid {
            field: "reply",
            value: other.into(),
        }),
    }
}

fn take_run(bytes: &mut Bytes) -> Result<u32, DecodeError> {
    let count = take_u32(bytes, "run")?;
    if count == 0 || count > RUN_MAX {
        return Err(DecodeError::Invalid {
            field: "run",
            value: count.into(),
        });
    }
    Ok(count)
}

fn take_ack(bytes: &mut Bytes) -> Result<Ack, DecodeError> {
    let position: EntryId = with_cursor(bytes, take_entry_id)?;
    let durability = match take_u8(bytes, "durability")? {
        0 => Durability::Memory,
        1 => Durability::Os,
        2 => Durability::Disk,
        other => {
            return Err(DecodeError::Invalid {
                field: "durability",
                value: other.into(),
            });
        }
    };
    Ok(Ack {
        position,
        durability,
        copies: take_u8(bytes, "copies")?,
    })
}
