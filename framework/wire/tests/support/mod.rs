//! One sample of every message, with every part that it can have.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod decoders;
mod errors;
mod random;

use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{
    Ack, Acks, Answer, Channel, Class, ClientId, ClusterId, ConfigEpoch, Dot, Durability, Encoded,
    EntryId, Frontier, GroupId, Incarnation, Lag, LeaderEpoch, Lsn, NodeId, Outcome, Outgoing,
    Position, ReadLevel, ReadQuery, Row, TraceContext,
};
use repertoire_wire::client::{
    AdminReply, AdminRequest, AdminVerb, ReadsBuilder, ReadsHead, RepliesBuilder, WritesBuilder,
    WritesHead,
};
use repertoire_wire::hello::{
    Hello, HelloReply, RefusalReason, Speaker, StreamHello, without_length,
};
use repertoire_wire::{
    BoundedStr, Envelope, Extensions, Frame, FrameKind, WIRE_VERSION, encode_frame,
};

pub(crate) use decoders::decode_all;
pub(crate) use errors::every_error;
#[allow(unused_imports, reason = "each test binary uses a part")]
pub(crate) use random::Random;

/// A message: its name, and its frame with the length in front.
pub(crate) type Sample = (String, Bytes);

/// One sample of every message.
pub(crate) fn samples() -> Vec<Sample> {
    let mut all = hellos();
    all.extend(peers());
    all.extend(requests());
    all.extend(replies());
    all.push(("frame-with-extensions".into(), with_extensions()));
    all
}

fn joined((front, body): (Bytes, Bytes)) -> Bytes {
    [&front[..], &body[..]].concat().into()
}

fn hellos() -> Vec<Sample> {
    let node = Hello {
        catalogue_version: 300,
        feature_level: 2,
        config_digest: Some(0x0102_0304_0506_0708),
        ..Hello::new(
            Some(ClusterId(0x1122)),
            Speaker::Node {
                id: NodeId(7),
                incarnation: Incarnation(u128::MAX - 1),
            },
        )
    };
    let client = Hello::new(
        None,
        Speaker::Client {
            name: BoundedStr::truncated("batch-1"),
        },
    );
    let welcome = HelloReply::Welcome {
        version: 1,
        hello: node.clone(),
        credit: 4 << 20,
    };
    let refused = HelloReply::Refused {
        code: RefusalReason::SecondIncarnation.code(),
        detail: BoundedStr::truncated("another disk"),
    };
    let mut all = vec![
        ("hello-node".into(), node.encode()),
        ("hello-client".into(), client.encode()),
        ("hello-reply-welcome".into(), welcome.encode()),
        ("hello-reply-refused".into(), refused.encode()),
    ];
    for class in Class::ALL {
        let name = format!("stream-hello-{class:?}").to_lowercase();
        all.push((name, StreamHello { class }.encode()));
    }
    all
}

fn peers() -> Vec<Sample> {
    let frame = |channel, class, trace| {
        let outgoing = Outgoing {
            channel,
            group: GroupId::new(0x0a0b_0c0d, 3),
            config_epoch: ConfigEpoch(9),
            message: Encoded {
                class,
                head: Bytes::from_static(b"head"),
                body: Bytes::from_static(b"the body"),
            },
            trace,
        };
        joined(encode_frame(&outgoing).unwrap())
    };
    vec![
        (
            "peer-protocol".into(),
            frame(Channel::Protocol, Class::Replication, None),
        ),
        (
            "peer-protocol-traced".into(),
            frame(Channel::Protocol, Class::Replication, trace()),
        ),
        (
            "peer-snapshot".into(),
            frame(Channel::Snapshot, Class::Bulk, None),
        ),
    ]
}

/// The example of the specification of W3C Trace Context.
fn trace() -> Option<TraceContext> {
    TraceContext::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
}

fn positions() -> [(&'static str, Position); 4] {
    let mut frontier = Frontier::default();
    frontier.raise(Incarnation(1), Lsn(2));
    frontier.raise(Incarnation(u128::MAX), Lsn(u64::MAX));
    let dot = Dot {
        incarnation: Incarnation(3),
        counter: 4,
    };
    [
        (
            "entry",
            Position::Entry(EntryId::new(LeaderEpoch(5), Lsn(6))),
        ),
        ("frontier", Position::Frontier(frontier)),
        ("dots", Position::Dots(vec![(0xdead_beef, dot), (1, dot)])),
        (
            "entries",
            Position::Entries(vec![
                EntryId::new(LeaderEpoch(5), Lsn(6)),
                EntryId::new(LeaderEpoch(7), Lsn(8)),
            ]),
        ),
    ]
}

fn lags() -> [(&'static str, Lag); 2] {
    let lag = Lag::of(Duration::from_millis(250));
    let records_max = Some(7);
    [
        ("bounded", lag),
        ("bounded-records", Lag { records_max, ..lag }),
    ]
}

fn requests() -> Vec<Sample> {
    let head = WritesHead {
        first_request: 1000,
        client: ClientId(u128::MAX / 3),
        first_seq: 500,
        acked_upto: 400,
        acks: Some(Acks::SemiSync(2)),
        deadline_ms: 5000,
        count: 0,
    };
    let writes = |head, trace| {
        let mut builder =
            WritesBuilder::new(GroupId::new(4, 5), ConfigEpoch(6), head).in_trace(trace);
        assert!(builder.push(b"one operation") && builder.push(b"") && builder.push(b"another"));
        joined(builder.finish().unwrap())
    };
    let mut all = vec![
        ("writes".into(), writes(head, None)),
        ("writes-traced".into(), writes(head, trace())),
        (
            "writes-default-acks".into(),
            writes(WritesHead { acks: None, ..head }, None),
        ),
    ];
    let levels = positions().map(|(name, position)| (name, ReadLevel::Session(position)));
    let levels = levels
        .into_iter()
        .chain([("local", ReadLevel::Local), ("leader", ReadLevel::Leader)])
        .chain(lags().map(|(name, lag)| (name, ReadLevel::Bounded(lag))));
    for (name, level) in levels {
        all.push((format!("reads-{name}"), reads(&level, None)));
    }
    let traced = reads(&ReadLevel::Leader, trace());
    all.push(("reads-traced".into(), traced));
    let verbs = [
        ("status", AdminVerb::Status),
        (
            "resolve",
            AdminVerb::Resolve {
                keyspace: BoundedStr::truncated("accounts"),
            },
        ),
        (
            "call",
            AdminVerb::Call {
                name: BoundedStr::truncated("transfer"),
            },
        ),
    ];
    for (name, verb) in verbs {
        let request = AdminRequest {
            request: 77,
            verb,
            args: Bytes::from_static(b"{\"to\":2}"),
        };
        all.push((format!("admin-{name}"), joined(request.encode().unwrap())));
    }
    all
}

fn reads(level: &ReadLevel, trace: Option<TraceContext>) -> Bytes {
    let head = ReadsHead {
        first_request: 9,
        deadline_ms: 250,
        count: 0,
    };
    let builder = ReadsBuilder::new(GroupId::new(4, 5), ConfigEpoch(6), head, level);
    let mut builder = builder.in_trace(trace);
    for query in [
        ReadQuery::Get(Bytes::from_static(b"key")),
        ReadQuery::Scan {
            from: Bytes::from_static(b"a"),
            to: Bytes::new(),
            limit: 100,
        },
        ReadQuery::Digest,
        ReadQuery::Count,
    ] {
        assert!(builder.push(&query));
    }
    joined(builder.finish().unwrap())
}

fn replies() -> Vec<Sample> {
    let mut all = vec![("replies-outcomes".into(), outcomes())];
    let mut first = every_error();
    let of_tokens = first.split_off(25);
    for (name, kinds) in [("errors", first), ("errors-of-tokens", of_tokens)] {
        let mut errors = RepliesBuilder::new();
        for (request, error) in (1..).zip(kinds) {
            // Every second number, so that no two errors become a run.
            errors.push(2 * request, Outcome::Failed(Box::new(error)));
        }
        all.push((format!("replies-{name}"), only(&mut errors)));
    }
    for (name, result) in [
        ("ok", Ok(Bytes::from_static(b"{\"leader\":1}"))),
        ("failed", Err(Box::new(every_error().swap_remove(0)))),
    ] {
        let reply = AdminReply {
            request: 77,
            result,
        };
        all.push((
            format!("admin-reply-{name}"),
            joined(reply.encode().unwrap()),
        ));
    }
    all
}

fn only(builder: &mut RepliesBuilder) -> Bytes {
    let mut frames = builder.finish();
    assert_eq!(frames.len(), 1);
    joined(frames.remove(0))
}

fn outcomes() -> Bytes {
    let mut builder = RepliesBuilder::new();
    let ack = |lsn, durability| Ack {
        position: EntryId::new(LeaderEpoch(2), Lsn(lsn)),
        durability,
        copies: 3,
    };
    for i in 0..5 {
        builder.written(100 + i, ack(50 + i, Durability::Disk));
    }
    builder.written(200, ack(60, Durability::Memory));
    let result = Bytes::from_static(b"the old value");
    let written = Outcome::Written {
        ack: ack(61, Durability::Os),
        result,
    };
    builder.push(201, written);
    let row = Row {
        key: Bytes::from_static(b"key"),
        value: Bytes::from_static(b"value"),
    };
    let answers = [
        Answer::Value(None),
        Answer::Value(Some(Bytes::new())),
        Answer::Rows(vec![row.clone(), row]),
        Answer::Digest(0x0102),
        Answer::Count(12),
    ];
    // An answer was read in one history: it never names entries of several.
    let positions = positions()
        .into_iter()
        .take(3)
        .map(|(_, position)| position)
        .cycle();
    for ((request, answer), position) in (300..).zip(answers).zip(positions) {
        builder.push(request, Outcome::Answered { position, answer });
    }
    builder.grant(123_456);
    only(&mut builder)
}

fn with_extensions() -> Bytes {
    let frame = Frame {
        envelope: Envelope::bare(FrameKind::Peer),
        head: Bytes::from_static(b"head"),
        extensions: Extensions::new(&[(1, false, b"optional"), (9, false, b"")]).unwrap(),
        body: Bytes::from_static(b"body"),
    };
    joined(frame.encode(1000).unwrap())
}

/// The frame behind its length.
pub(crate) fn bare(frame: &Bytes) -> Bytes {
    assert_eq!(frame[4], WIRE_VERSION);
    without_length(frame.clone())
}
