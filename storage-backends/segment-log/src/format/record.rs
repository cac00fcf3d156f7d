//! Records: a checksummed, chained head of fixed size, and a payload.

use bytes::BufMut;
use repertoire_core::cursor::Cursor;
use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{DecodeError, GroupId, StreamId};

use super::{Kind, RECORD_ALIGNMENT, RECORD_HEAD_BYTES, inside};

const HEAD: usize = RECORD_HEAD_BYTES as usize;

/// The first bytes of every record.
pub(crate) const MAGIC: [u8; 4] = *b"rlog";

/// The first checksummed byte: what precedes it is the magic and the checksum itself.
const CHECKED_FROM: usize = 8;

/// Most bytes that a record holds in front of a borrowed body.
const PREFIX_MAX: usize = 40;

/// Bytes that a record with `payload` bytes takes in a segment.
pub(crate) const fn record_len(payload: u32) -> u32 {
    (RECORD_HEAD_BYTES + payload).next_multiple_of(RECORD_ALIGNMENT)
}

/// The head of a record that was found valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHead {
    /// Checksum over the rest of the head; the next record names it.
    pub crc: u32,
    /// `crc` of the record before this one in the log.
    pub previous: u32,
    pub payload_crc: u32,
    pub payload_len: u32,
    pub kind: u8,
    pub sequence: u64,
    pub order: u64,
    pub position: u64,
    pub offset: u32,
    pub group: GroupId,
    pub stream: StreamId,
}

impl RecordHead {
    /// Reads the head at `offset` of segment `sequence`; `rest` is the segment from there on.
    /// `None` unless every check holds and the whole record fits.
    pub(crate) fn parse(rest: &[u8], seed: u32, sequence: u64, offset: u32) -> Option<Self> {
        let head = rest.get(..HEAD)?;
        // Most places that a scan looks at fail here.
        if !head.starts_with(&MAGIC) {
            return None;
        }
        let found = Self::fields(head).ok()?;
        let fits = rest.len() as u64 >= u64::from(found.payload_len) + u64::from(RECORD_HEAD_BYTES);
        (found.sequence == sequence
            && found.offset == offset
            && fits
            && crc32c::crc32c_append(seed, head.get(CHECKED_FROM..)?) == found.crc)
            .then_some(found)
    }

    fn fields(head: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(head);
        cursor.u32("magic")?;
        let crc = cursor.u32("checksum")?;
        let previous = cursor.u32("previous")?;
        let payload_crc = cursor.u32("payload checksum")?;
        let payload_len = cursor.u32("payload length")?;
        let kind = cursor.u8("kind")?;
        cursor.bytes(3, "reserved")?;
        Ok(Self {
            crc,
            previous,
            payload_crc,
            payload_len,
            kind,
            sequence: cursor.u64("sequence")?,
            order: cursor.u64("order")?,
            position: cursor.u64("position")?,
            offset: cursor.u32("offset")?,
            group: GroupId::new(cursor.u32("keyspace")?, cursor.u32("shard")?),
            stream: StreamId(cursor.u32("stream")?),
        })
    }

    /// The payload that follows the head at the start of `rest`, when its checksum holds.
    pub(crate) fn payload<'a>(&self, rest: &'a [u8], seed: u32) -> Option<&'a [u8]> {
        let payload = rest.get(HEAD..HEAD + self.payload_len as usize)?;
        let matches = crc32c::crc32c_append(seed, payload) == self.payload_crc;
        (matches || planted(Bug::PayloadUnchecked)).then_some(payload)
    }

    /// The offset after this record.
    pub(crate) fn end(&self) -> u32 {
        self.offset + record_len(self.payload_len)
    }

    fn encode(&mut self, seed: u32) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let mut rest = bytes.as_mut_slice();
        rest.put_slice(&MAGIC);
        rest.put_u32_le(0);
        rest.put_u32_le(self.previous);
        rest.put_u32_le(self.payload_crc);
        rest.put_u32_le(self.payload_len);
        rest.put_u32_le(self.kind.into());
        rest.put_u64_le(self.sequence);
        rest.put_u64_le(self.order);
        rest.put_u64_le(self.position);
        rest.put_u32_le(self.offset);
        rest.put_u32_le(self.group.keyspace.0);
        rest.put_u32_le(self.group.shard.0);
        rest.put_u32_le(self.stream.0);
        self.crc = crc32c::crc32c_append(seed, bytes.get(CHECKED_FROM..).unwrap_or(&[]));
        let mut checksum = bytes.get_mut(4..).unwrap_or(&mut []);
        checksum.put_u32_le(self.crc);
        bytes
    }
}

/// The first bytes of a payload, built in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    bytes: [u8; PREFIX_MAX],
    len: usize,
}

impl Prefix {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; PREFIX_MAX],
        len: 0,
    };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut prefix = Self::EMPTY;
        let len = bytes.len().min(PREFIX_MAX);
        debug_assert_eq!(len, bytes.len(), "prefixes have known, small sizes");
        if let Some((into, from)) = prefix.bytes.get_mut(..len).zip(bytes.get(..len)) {
            into.copy_from_slice(from);
        }
        prefix.len = len;
        prefix
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// A record to be written: everything but its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub kind: Kind,
    pub group: GroupId,
    pub stream: StreamId,
    pub position: u64,
    pub order: u64,
    pub prefix: Prefix,
    pub body: &'a [u8],
}

impl Draft<'_> {
    pub(crate) fn payload_len(&self) -> u32 {
        inside(self.prefix.len + self.body.len())
    }

    /// Bytes in a segment.
    pub(crate) fn len(&self) -> u32 {
        record_len(self.payload_len())
    }
}

/// Appends a record to `out`; answers its checksum, which the next record names as `previous`.
pub(crate) fn push_record(
    out: &mut Vec<u8>,
    draft: &Draft<'_>,
    seed: u32,
    (sequence, offset): (u64, u32),
    previous: u32,
) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    out.extend_from_slice(draft.prefix.as_slice());
    out.extend_from_slice(draft.body);
    let payload = out.get(start + HEAD..).unwrap_or(&[]);
    let mut head = RecordHead {
        crc: 0,
        previous,
        payload_crc: crc32c::crc32c_append(seed, payload),
        payload_len: inside(payload.len()),
        kind: draft.kind as u8,
        sequence,
        order: draft.order,
        position: draft.position,
        offset,
        group: draft.group,
        stream: draft.stream,
    };
    let bytes = head.encode(seed);
    if let Some(place) = out.get_mut(start..start + HEAD) {
        place.copy_from_slice(&bytes);
    }
    out.resize(start + draft.len() as usize, 0);
    head.crc
}
