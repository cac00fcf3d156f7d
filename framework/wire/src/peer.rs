//! Frames between replicas.

use bytes::{Bytes, BytesMut};
use repertoire_core::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX};
use repertoire_core::{Channel, Class, ConfigEpoch, Encoded, GroupId, Outgoing, TraceContext};

use crate::frame::put_front;
use crate::trace::{TRACE_BYTES, trace_extensions, trace_of};
use crate::{Envelope, FIXED_LEN, Frame, FrameKind, LENGTH_LEN, WireError};

/// A frame that came from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFrame {
    /// Which part of the replica it is for.
    pub channel: Channel,
    /// The replicas that talk.
    pub group: GroupId,
    /// The descriptor's version under which the sender speaks.
    pub config_epoch: ConfigEpoch,
    /// What it says.
    pub message: Encoded,
    /// The trace that it belongs to, if any.
    pub trace: Option<TraceContext>,
}

/// Most bytes of head, extensions and body of a frame of that class.
pub const fn frame_max(class: Class) -> usize {
    match class {
        Class::Control => CONTROL_FRAME_MAX,
        // A chunk of a snapshot leaves room for its head within the same cap.
        Class::Replication | Class::Bulk => DATA_FRAME_MAX,
    }
}

/// Encodes a frame for a peer: everything in front of the body, and the body itself, uncopied.
///
/// # Errors
/// `TooLong` when the message is above the cap of its class.
pub fn encode_frame(outgoing: &Outgoing) -> Result<(Bytes, Bytes), WireError> {
    let mut out = BytesMut::with_capacity(LENGTH_LEN + FIXED_LEN + outgoing.message.head.len());
    encode_frame_into(outgoing, &mut out)?;
    Ok((out.freeze(), outgoing.message.body.clone()))
}

/// Appends everything in front of the body to `out`; the body is to be written behind it.
///
/// # Errors
/// `TooLong` when the message is above the cap of its class; nothing is appended then.
pub fn encode_frame_into(outgoing: &Outgoing, out: &mut BytesMut) -> Result<(), WireError> {
    let message = &outgoing.message;
    let envelope = Envelope {
        kind: match outgoing.channel {
            Channel::Protocol => FrameKind::Peer,
            Channel::Snapshot => FrameKind::Snapshot,
        },
        group: outgoing.group,
        config_epoch: outgoing.config_epoch,
    };
    let max = frame_max(message.class);
    // A message that fills its frame travels without its trace rather than not at all.
    let has_room = || message.len() + TRACE_BYTES <= max;
    let extensions = trace_extensions(outgoing.trace.filter(|_| has_room()));
    let parts = (&message.head[..], &extensions);
    put_front(out, &envelope, parts, message.body.len(), max)
}

/// Takes a frame of a peer apart (without its length in front), without copying. `class` is the
/// stream it came on.
///
/// # Errors
/// When the bytes are no frame, or a frame of another kind ([`WireError::UnexpectedKind`]).
pub fn decode_frame(frame: Bytes, class: Class) -> Result<PeerFrame, WireError> {
    let frame = Frame::decode(frame, &[])?;
    let kind = frame.envelope.kind;
    let channel = if kind == FrameKind::Peer {
        Channel::Protocol
    } else if kind == FrameKind::Snapshot {
        Channel::Snapshot
    } else {
        let kind = kind.to_byte();
        return Err(WireError::UnexpectedKind { kind });
    };
    Ok(PeerFrame {
        channel,
        trace: trace_of(&frame.extensions),
        group: frame.envelope.group,
        config_epoch: frame.envelope.config_epoch,
        message: Encoded {
            class,
            head: frame.head,
            body: frame.body,
        },
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use repertoire_core::{Channel, Class, ConfigEpoch, Encoded, GroupId, Outgoing, TraceContext};

    use super::{decode_frame, encode_frame, frame_max};
    use crate::LENGTH_LEN;

    fn outgoing(class: Class, body: usize) -> Outgoing {
        Outgoing {
            channel: Channel::Snapshot,
            group: GroupId::new(1, 2),
            config_epoch: ConfigEpoch(3),
            message: Encoded {
                class,
                head: Bytes::from_static(b"h"),
                body: vec![7; body].into(),
            },
            trace: TraceContext::sampled(4, 5),
        }
    }

    #[test]
    fn what_is_sent_arrives() {
        for class in Class::ALL {
            let sent = outgoing(class, 100);
            let (front, body) = encode_frame(&sent).unwrap();
            let bytes: Bytes = [&front[LENGTH_LEN..], &body[..]].concat().into();
            let read = decode_frame(bytes, class).unwrap();
            assert_eq!(
                (read.group, read.config_epoch),
                (sent.group, sent.config_epoch)
            );
            assert_eq!((read.channel, read.message), (sent.channel, sent.message));
            assert_eq!(read.trace, sent.trace);
        }
    }

    #[test]
    fn a_trace_takes_its_bytes_only_where_there_is_room() {
        let max = frame_max(Class::Control);
        for (body, has_trace) in [(max - 31, true), (max - 30, false), (max - 1, false)] {
            let sent = outgoing(Class::Control, body);
            let (front, body) = encode_frame(&sent).unwrap();
            let bytes: Bytes = [&front[LENGTH_LEN..], &body[..]].concat().into();
            let read = decode_frame(bytes, Class::Control).unwrap();
            assert_eq!(read.trace, sent.trace.filter(|_| has_trace));
            assert_eq!(read.message, sent.message);
        }
    }

    #[test]
    fn each_class_has_its_cap() {
        for class in Class::ALL {
            assert!(encode_frame(&outgoing(class, frame_max(class) - 1)).is_ok());
            assert!(encode_frame(&outgoing(class, frame_max(class))).is_err());
        }
    }
}
