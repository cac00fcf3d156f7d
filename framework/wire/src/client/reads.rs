//! Many reads in one frame.
//!
//! ```text
//! body    level | query * count
//! level   1 local | 2 session, position | 3 leader
//!         | 4 bounded, age in milliseconds u64, records u64 (the largest number: no bound)
//! query   1 get, key | 2 scan, from, to, limit u32 | 3 digest | 4 count
//! ```

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::{DATA_FRAME_MAX, KEY_MAX};
use repertoire_core::{
    ConfigEpoch, DecodeError, GroupId, Lag, ReadLevel, ReadQuery, TraceContext, put_blob,
};
use serde::{Deserialize, Serialize};

use super::position::{put_position, take_position};
use super::shared::{take_blob, take_u8, take_u32, with_cursor};
use crate::error::too_long;
use crate::trace::{trace_extensions, trace_of};
use crate::{Envelope, Frame, FrameKind, WireError, decode_head, encode_head};

/// Most reads in one frame.
pub const READS_MAX: u32 = 16 * 1024;

/// Bytes of a frame's budget that are kept for the head.
const HEAD_ROOM: usize = 64;

/// What all reads of a frame share. The reads are numbered from the first one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadsHead {
    /// Names the first read within the session; replies refer to it.
    pub first_request: u64,
    /// Milliseconds from arrival after which they fail with `Timeout`.
    pub deadline_ms: u32,
    /// How many reads follow. Filled in by [`ReadsBuilder`].
    pub count: u32,
}

/// Reads from one group, in a frame.
#[derive(Clone, Debug)]
pub struct Reads {
    /// The group; its shard may be [`ANY_SHARD`](crate::ANY_SHARD).
    pub group: GroupId,
    /// The descriptor's version that the client knows.
    pub config_epoch: ConfigEpoch,
    /// What they share.
    pub head: ReadsHead,
    /// The trace that they belong to, if any.
    pub trace: Option<TraceContext>,
    /// How fresh they must be.
    pub level: ReadLevel,
    queries: Bytes,
}

impl Reads {
    pub(crate) fn from_frame(frame: Frame) -> Result<Self, WireError> {
        let head: ReadsHead = decode_head(&frame.head)?;
        if head.count > READS_MAX {
            let count = usize::try_from(head.count).unwrap_or(usize::MAX);
            return Err(too_long("reads", count, READS_MAX as usize));
        }
        let mut body = frame.body;
        let level = take_level(&mut body)?;
        let mut rest = body.clone();
        for _ in 0..head.count {
            take_query(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(DecodeError::Trailing { extra: rest.len() }.into());
        }
        Ok(Self {
            group: frame.envelope.group,
            config_epoch: frame.envelope.config_epoch,
            head,
            trace: trace_of(&frame.extensions),
            level,
            queries: body,
        })
    }

    /// The queries, in order; the first has the number `first_request`.
    pub fn queries(&self) -> impl Iterator<Item = ReadQuery> + use<> {
        let mut rest = self.queries.clone();
        std::iter::from_fn(move || take_query(&mut rest).ok())
    }
}

/// Fills a frame with reads.
#[derive(Debug)]
pub struct ReadsBuilder {
    group: GroupId,
    config_epoch: ConfigEpoch,
    head: ReadsHead,
    trace: Option<TraceContext>,
    body: BytesMut,
}

impl ReadsBuilder {
    /// An empty frame for `group`, all reads at `level`.
    pub fn new(
        group: GroupId,
        config_epoch: ConfigEpoch,
        head: ReadsHead,
        level: &ReadLevel,
    ) -> Self {
        let mut body = BytesMut::new();
        put_level(&mut body, level);
        Self {
            group,
            config_epoch,
            head: ReadsHead { count: 0, ..head },
            trace: None,
            body,
        }
    }

    /// Names the trace that the reads belong to.
    #[must_use]
    pub fn in_trace(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// Adds a query. `false`: the frame is full, finish it and begin another (or a key is above
    /// [`KEY_MAX`]).
    #[must_use]
    pub fn push(&mut self, query: &ReadQuery) -> bool {
        let keys = match query {
            ReadQuery::Get(key) => [key.len(), 0],
            ReadQuery::Scan { from, to, .. } => [from.len(), to.len()],
            ReadQuery::Digest | ReadQuery::Count => [0, 0],
        };
        let len: usize = keys.iter().sum();
        let fits = self.body.len() + len + 16 <= DATA_FRAME_MAX - HEAD_ROOM;
        if keys.iter().any(|len| *len > KEY_MAX) || !fits || self.head.count >= READS_MAX {
            return false;
        }
        put_query(&mut self.body, query);
        self.head.count += 1;
        true
    }

    /// Reads added so far.
    pub const fn count(&self) -> u32 {
        self.head.count
    }

    /// The frame: front and body.
    ///
    /// # Errors
    /// Never for frames that [`push`](Self::push) filled.
    pub fn finish(self) -> Result<(Bytes, Bytes), WireError> {
        let envelope = Envelope {
            kind: FrameKind::Reads,
            group: self.group,
            config_epoch: self.config_epoch,
        };
        Frame {
            extensions: trace_extensions(self.trace),
            ..Frame::new(envelope, encode_head(&self.head), self.body.freeze())
        }
        .encode(DATA_FRAME_MAX)
    }
}

fn put_level(out: &mut BytesMut, level: &ReadLevel) {
    match level {
        ReadLevel::Local => out.put_u8(1),
        ReadLevel::Session(position) => {
            out.put_u8(2);
            put_position(out, position);
        }
        ReadLevel::Leader => out.put_u8(3),
        ReadLevel::Bounded(lag) => {
            out.put_u8(4);
            out.put_u64_le(u64::try_from(lag.age_max.as_millis()).unwrap_or(u64::MAX));
            out.put_u64_le(lag.records_max.unwrap_or(u64::MAX));
        }
    }
}

fn take_level(bytes: &mut Bytes) -> Result<ReadLevel, DecodeError> {
    match take_u8(bytes, "read level")? {
        1 => Ok(ReadLevel::Local),
        2 => with_cursor(bytes, take_position).map(ReadLevel::Session),
        3 => Ok(ReadLevel::Leader),
        4 => with_cursor(bytes, take_lag).map(ReadLevel::Bounded),
        other => Err(DecodeError::Invalid {
            field: "read level",
            value: other.into(),
        }),
    }
}

fn take_lag(cursor: &mut Cursor<'_>) -> Result<Lag, DecodeError> {
    let age_max = Duration::from_millis(cursor.u64("age")?);
    let records_max = Some(cursor.u64("records")?).filter(|records| *records != u64::MAX);
    Ok(Lag {
        age_max,
        records_max,
    })
}

fn put_query(out: &mut BytesMut, query: &ReadQuery) {
    match query {
        ReadQuery::Get(key) => {
            out.put_u8(1);
            put_blob(out, key);
        }
        ReadQuery::Scan { from, to, limit } => {
            out.put_u8(2);
            put_blob(out, from);
            put_blob(out, to);
            out.put_u32_le(*limit);
        }
        ReadQuery::Digest => out.put_u8(3),
        ReadQuery::Count => out.put_u8(4),
    }
}

fn take_query(bytes: &mut Bytes) -> Result<ReadQuery, DecodeError> {
    match take_u8(bytes, "query")? {
        1 => take_blob(bytes, KEY_MAX, "key").map(ReadQuery::Get),
        2 => Ok(ReadQuery::Scan {
            from: take_blob(bytes, KEY_MAX, "key")?,
            to: take_blob(bytes, KEY_MAX, "key")?,
            limit: take_u32(bytes, "limit")?,
        }),
        3 => Ok(ReadQuery::Digest),
        4 => Ok(ReadQuery::Count),
        other => Err(DecodeError::Invalid {
            field: "query",
            value: other.into(),
        }),
    }
}
