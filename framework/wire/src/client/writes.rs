//! Many writes in one frame.
//!
//! Body: `(len u32 | operation) * count`. Operations are slices of the frame, never copied.

use bytes::{Buf, Bytes, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::{DATA_FRAME_MAX, OPERATION_MAX};
use repertoire_core::{Acks, ClientId, ConfigEpoch, GroupId, TraceContext};
use serde::{Deserialize, Serialize};

use crate::error::too_long;
use crate::trace::{trace_extensions, trace_of};
use crate::{Envelope, Frame, FrameKind, WireError, decode_head, encode_head};

/// Most writes in one frame.
pub const WRITES_MAX: u32 = 16 * 1024;

/// Bytes of a frame's budget that are kept for the head.
const HEAD_ROOM: usize = 256;

/// What all writes of a frame share. The writes are numbered from the first ones on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritesHead {
    /// Names the first write within the session; replies refer to it.
    pub first_request: u64,
    /// Whose writes they are: the exactly-once identity.
    pub client: ClientId,
    /// Number of the first write among that client's writes to the group.
    pub first_seq: u64,
    /// The client has the replies to all its writes up to and including this one.
    pub acked_upto: u64,
    /// Copies wanted; nothing takes the keyspace's default.
    pub acks: Option<Acks>,
    /// Milliseconds from arrival after which the outcome is reported as unknown.
    pub deadline_ms: u32,
    /// How many writes follow. Filled in by [`WritesBuilder`].
    pub count: u32,
}

/// Writes of one client to one group, in a frame.
#[derive(Clone, Debug)]
pub struct Writes {
    /// The group; its shard may be [`ANY_SHARD`](crate::ANY_SHARD).
    pub group: GroupId,
    /// The descriptor's version that the client knows.
    pub config_epoch: ConfigEpoch,
    /// What they share.
    pub head: WritesHead,
    /// The trace that they belong to, if any.
    pub trace: Option<TraceContext>,
    body: Bytes,
}

impl Writes {
    pub(crate) fn from_frame(frame: Frame) -> Result<Self, WireError> {
        let head: WritesHead = decode_head(&frame.head)?;
        if head.count > WRITES_MAX {
            let count = usize::try_from(head.count).unwrap_or(usize::MAX);
            return Err(too_long("writes", count, WRITES_MAX as usize));
        }
        let mut cursor = Cursor::new(&frame.body);
        for _ in 0..head.count {
            cursor.blob(OPERATION_MAX, "operation")?;
        }
        cursor.finish()?;
        Ok(Self {
            group: frame.envelope.group,
            config_epoch: frame.envelope.config_epoch,
            head,
            trace: trace_of(&frame.extensions),
            body: frame.body,
        })
    }

    /// The encoded operations, in order; the first has the numbers `first_request` and
    /// `first_seq`. Not yet checked to be operations.
    pub fn operations(&self) -> impl Iterator<Item = Bytes> + use<> {
        let mut rest = self.body.clone();
        std::iter::from_fn(move || {
            let len = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
            (len <= rest.len()).then(|| rest.split_to(len))
        })
    }
}

/// Fills a frame with writes.
#[derive(Debug)]
pub struct WritesBuilder {
    group: GroupId,
    config_epoch: ConfigEpoch,
    head: WritesHead,
    trace: Option<TraceContext>,
    body: BytesMut,
}

impl WritesBuilder {
    /// An empty frame for `group`.
    pub fn new(group: GroupId, config_epoch: ConfigEpoch, head: WritesHead) -> Self {
        Self {
            group,
            config_epoch,
            head: WritesHead { count: 0, ..head },
            trace: None,
            body: BytesMut::new(),
        }
    }

    /// Names the trace that the writes belong to.
    #[must_use]
    pub fn in_trace(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// Adds an encoded operation. `false`: the frame is full, finish it and begin another (or, when
    /// it is still empty, the operation is above [`OPERATION_MAX`]).
    #[must_use]
    pub fn push(&mut self, operation: &[u8]) -> bool {
        let room = DATA_FRAME_MAX - HEAD_ROOM;
        let fits = self.body.len() + 4 + operation.len() <= room;
        if operation.len() > OPERATION_MAX || !fits || self.head.count >= WRITES_MAX {
            return false;
        }
        repertoire_core::put_blob(&mut self.body, operation);
        self.head.count += 1;
        true
    }

    /// Writes added so far.
    pub const fn count(&self) -> u32 {
        self.head.count
    }

    /// The frame: front and body.
    ///
    /// # Errors
    /// Never for frames that [`push`](Self::push) filled.
    pub fn finish(self) -> Result<(Bytes, Bytes), WireError> {
        let envelope = Envelope {
            kind: FrameKind::Writes,
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

#[cfg(test)]
mod tests {
    use repertoire_core::limits::OPERATION_MAX;
    use repertoire_core::{Acks, ClientId, ConfigEpoch, GroupId};

    use super::{Writes, WritesBuilder, WritesHead};
    use crate::client::ClientRequest;
    use crate::hello::without_length;

    fn round(builder: WritesBuilder) -> Writes {
        let (front, body) = builder.finish().unwrap();
        let bytes = [&without_length(front)[..], &body[..]].concat();
        let ClientRequest::Writes(writes) = ClientRequest::decode(bytes.into()).unwrap() else {
            panic!("not writes");
        };
        writes
    }

    #[test]
    fn writes_survive_the_round_trip() {
        let head = WritesHead {
            first_request: 5,
            client: ClientId(6),
            first_seq: 7,
            acked_upto: 4,
            acks: Some(Acks::SemiSync(2)),
            deadline_ms: 1000,
            count: 0,
        };
        let mut builder = WritesBuilder::new(GroupId::new(1, 2), ConfigEpoch(3), head);
        assert!(builder.push(b"first") && builder.push(b"") && builder.push(b"third"));
        let writes = round(builder);
        assert_eq!(writes.head, WritesHead { count: 3, ..head });
        assert_eq!(
            (writes.group, writes.config_epoch),
            (GroupId::new(1, 2), ConfigEpoch(3))
        );
        let operations: Vec<_> = writes.operations().collect();
        assert_eq!(operations, [&b"first"[..], b"", b"third"]);
    }

    #[test]
    fn the_largest_operation_fits_and_a_larger_one_does_not() {
        let empty =
            || WritesBuilder::new(GroupId::new(1, 0), ConfigEpoch(0), WritesHead::default());
        let mut builder = empty();
        assert!(builder.push(&vec![0; OPERATION_MAX]));
        assert!(!builder.push(&vec![0; 64 * 1024]));
        assert_eq!(round(builder).operations().count(), 1);
        assert!(!empty().push(&vec![0; OPERATION_MAX + 1]));
    }
}
