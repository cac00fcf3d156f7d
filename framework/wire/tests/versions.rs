//! Two versions talk: what a later one adds, this one skips or refuses, and what this one leaves
//! out, a later one notices.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use bytes::Bytes;
use repertoire_core::{Class, ClusterId, DecodeError, TraceContext};
use repertoire_wire::client::{ClientReply, ClientRequest};
use repertoire_wire::hello::{
    HELLO_FRAME_MAX, Hello, HelloReply, MAGIC, RefusalReason, StreamHello, VersionRange,
    without_length,
};
use repertoire_wire::{
    BoundedStr, Envelope, Extensions, Frame, FrameKind, TRACE, WireError, decode_frame,
    decode_head, encode_head,
};
use serde::{Deserialize, Serialize};
use support::{bare, samples};

/// A field of version 2.
const PRIORITY: u16 = 100;

fn sample(name: &str) -> Frame {
    let (_, bytes) = samples()
        .into_iter()
        .find(|(other, _)| other == name)
        .unwrap();
    Frame::decode(bare(&bytes), &[]).unwrap()
}

fn encoded(frame: &Frame) -> Bytes {
    let (front, body) = frame.encode(1 << 20).unwrap();
    without_length([&front[..], &body[..]].concat().into())
}

/// What version 2 reads out of a frame: nothing is not zero.
fn priority(frame: &Frame) -> Option<u8> {
    frame
        .extensions
        .get(PRIORITY)
        .and_then(|bytes| bytes.first().copied())
}

#[test]
fn an_optional_field_is_skipped_and_passed_on() {
    let mut writes = sample("writes");
    writes.extensions = Extensions::new(&[(PRIORITY, false, &[0])]).unwrap();
    let bytes = encoded(&writes);
    let ClientRequest::Writes(read) = ClientRequest::decode(bytes.clone()).unwrap() else {
        panic!("not writes");
    };
    assert_eq!(read.operations().count(), 3);
    // Whoever passes the frame on, keeps it.
    let passed = Frame::decode(bytes.clone(), &[]).unwrap();
    assert_eq!(encoded(&passed), bytes);
    assert_eq!(priority(&passed), Some(0));
}

#[test]
fn a_missing_field_is_not_zero() {
    let old = Frame::decode(encoded(&sample("writes")), &[PRIORITY]).unwrap();
    assert_eq!(priority(&old), None);
}

#[test]
fn a_critical_field_is_refused_by_who_does_not_know_it() {
    for name in ["writes", "reads-local", "admin-status"] {
        let mut frame = sample(name);
        frame.extensions = Extensions::new(&[(PRIORITY, true, &[3])]).unwrap();
        let bytes = encoded(&frame);
        let refused = ClientRequest::decode(bytes.clone()).unwrap_err();
        assert_eq!(refused, WireError::UnknownCritical { tag: PRIORITY });
        assert_eq!(
            priority(&Frame::decode(bytes, &[PRIORITY]).unwrap()),
            Some(3)
        );
    }
    let mut peer = sample("peer-protocol");
    peer.extensions = Extensions::new(&[(PRIORITY, true, &[])]).unwrap();
    let refused = decode_frame(encoded(&peer), Class::Control).unwrap_err();
    assert_eq!(refused, WireError::UnknownCritical { tag: PRIORITY });
}

#[test]
fn a_new_kind_of_frame_is_named_and_skipped() {
    let frame = Frame::new(
        Envelope::bare(FrameKind::Unknown(99)),
        Bytes::new(),
        Bytes::new(),
    );
    let bytes = encoded(&frame);
    let request = ClientRequest::decode(bytes.clone()).unwrap();
    assert!(matches!(request, ClientRequest::Unknown { kind: 99 }));
    let reply = ClientReply::decode(bytes.clone()).unwrap();
    assert!(matches!(reply, ClientReply::Unknown { kind: 99 }));
    let refused = decode_frame(bytes, Class::Bulk).unwrap_err();
    assert_eq!(refused, WireError::UnexpectedKind { kind: 99 });
}

#[test]
fn a_new_reason_of_refusal_keeps_its_number() {
    let reply = HelloReply::Refused {
        code: 900,
        detail: BoundedStr::truncated("the moon is wrong"),
    };
    let HelloReply::Refused { code, .. } =
        HelloReply::decode(without_length(reply.encode())).unwrap()
    else {
        panic!("not refused");
    };
    assert_eq!(RefusalReason::from_code(code), RefusalReason::Other(900));
}

/// Version 2 of a hello: a third kind of speaker.
#[derive(Serialize, Deserialize)]
struct HelloV2 {
    magic: u32,
    versions: VersionRange,
    cluster: Option<ClusterId>,
    speaker: SpeakerV2,
    catalogue_version: u64,
    feature_level: u32,
    config_digest: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum SpeakerV2 {
    #[allow(dead_code, reason = "keeps its place")]
    Node(u64, u128),
    #[allow(dead_code, reason = "keeps its place")]
    Client(String),
    Browser {
        agent: u32,
    },
}

#[test]
fn a_new_variant_is_refused_and_the_old_ones_are_read() {
    let hello = HelloV2 {
        magic: MAGIC,
        versions: VersionRange { min: 1, max: 2 },
        cluster: None,
        speaker: SpeakerV2::Browser { agent: 5 },
        catalogue_version: 0,
        feature_level: 1,
        config_digest: None,
    };
    let frame = |head| Frame::new(Envelope::bare(FrameKind::Hello), head, Bytes::new());
    let (front, _) = frame(encode_head(&hello)).encode(HELLO_FRAME_MAX).unwrap();
    let refused = Hello::decode(without_length(front)).unwrap_err();
    assert_eq!(refused, WireError::Decode(DecodeError::Head));

    // The later version reads what this one writes.
    let old: HelloV2 = decode_head(&sample("hello-node").head).unwrap();
    assert!(matches!(old.speaker, SpeakerV2::Node(7, _)));
    assert_eq!(old.versions.common(VersionRange { min: 1, max: 2 }), Ok(1));
}

/// A head may not grow by itself: a longer one is refused, so that nothing is half understood.
#[test]
fn a_longer_head_is_refused() {
    for (name, bytes) in samples() {
        let mut frame = Frame::decode(bare(&bytes), &[]).unwrap();
        if matches!(frame.envelope.kind, FrameKind::Peer | FrameKind::Snapshot) {
            continue; // Its head is the protocol's.
        }
        frame.head = [&frame.head[..], &[0]].concat().into();
        assert_eq!(support::decode_all(&encoded(&frame)), 0, "{name}");
    }
}

#[test]
fn a_class_of_the_future_is_no_stream_of_ours() {
    let mut frame = sample("stream-hello-bulk");
    let mut head = frame.head.to_vec();
    *head.last_mut().unwrap() = 3;
    frame.head = head.into();
    assert!(StreamHello::decode(encoded(&frame)).is_err());
}

#[test]
fn a_trace_takes_thirty_bytes_where_there_is_one_and_none_elsewhere() {
    for name in ["writes", "peer-protocol"] {
        let (plain, traced) = (sample(name), sample(&format!("{name}-traced")));
        assert!(plain.extensions.is_empty());
        assert_eq!(encoded(&traced).len() - encoded(&plain).len(), 30);
        let untraced = Frame {
            extensions: Extensions::NONE,
            ..traced
        };
        assert_eq!(encoded(&untraced), encoded(&plain));
    }
}

#[test]
fn a_trace_that_does_not_parse_fails_no_request() {
    for bytes in [&[][..], &[7; 24], &[0; 25]] {
        let mut writes = sample("writes");
        writes.extensions = Extensions::new(&[(TRACE, false, bytes)]).unwrap();
        let ClientRequest::Writes(read) = ClientRequest::decode(encoded(&writes)).unwrap() else {
            panic!("not writes");
        };
        assert_eq!((read.trace, read.operations().count()), (None, 3));
    }
}

#[test]
fn what_a_later_version_adds_to_a_trace_is_skipped() {
    let context = TraceContext::sampled(1, 2).unwrap();
    let longer = [&context.to_bytes()[..], b"more"].concat();
    let mut reads = sample("reads-local");
    reads.extensions = Extensions::new(&[(TRACE, false, &longer)]).unwrap();
    let ClientRequest::Reads(read) = ClientRequest::decode(encoded(&reads)).unwrap() else {
        panic!("not reads");
    };
    assert_eq!(read.trace, Some(context));
}
