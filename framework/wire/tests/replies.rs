//! Reply frames: what is put in comes out, in order, in few bytes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use bytes::Bytes;
use repertoire_core::{
    Ack, Answer, Durability, EntryId, Error, ErrorKind, LeaderEpoch, Lsn, Outcome, Position, Row,
};

use repertoire_wire::client::{ClientReply, RepliesBuilder, ReplyItem};
use repertoire_wire::hello::without_length;

fn ack(lsn: u64) -> Ack {
    Ack {
        position: EntryId::new(LeaderEpoch(2), Lsn(lsn)),
        durability: Durability::Disk,
        copies: 2,
    }
}

fn items(builder: &mut RepliesBuilder) -> (Vec<ReplyItem>, u32, usize) {
    let mut credit = 0;
    let mut all = Vec::new();
    let frames = builder.finish();
    let count = frames.len();
    for (front, body) in frames {
        let bytes = [&without_length(front)[..], &body[..]].concat();
        let ClientReply::Replies(replies) = ClientReply::decode(bytes.into()).unwrap() else {
            panic!("not replies");
        };
        credit += replies.credit;
        all.extend(replies.items().map(Result::unwrap));
    }
    assert!(builder.is_empty());
    (all, credit, count)
}

#[test]
fn consecutive_plain_writes_become_one_item() {
    let mut builder = RepliesBuilder::new();
    for i in 0..4096 {
        builder.written(10 + i, ack(100 + i));
    }
    builder.written(9000, ack(5000));
    builder.grant(77);
    let (items, credit, frames) = items(&mut builder);
    let run = |first, count, lsn| ReplyItem::WrittenRun {
        first,
        count,
        ack: ack(lsn),
    };
    assert_eq!(items, [run(10, 4096, 100), run(9000, 1, 5000)]);
    assert_eq!((credit, frames), (77, 1));
}

#[test]
fn every_outcome_survives_the_round_trip_in_order() {
    let position = Position::Entry(EntryId::new(LeaderEpoch(1), Lsn(1)));
    let row = Row {
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(b"v"),
    };
    let answers = [
        Answer::Value(None),
        Answer::Value(Some(row.value.clone())),
        Answer::Rows(vec![row]),
        Answer::Digest(3),
        Answer::Count(4),
    ];
    let mut builder = RepliesBuilder::new();
    let result = Bytes::from_static(b"old");
    builder.push(
        1,
        Outcome::Written {
            ack: ack(1),
            result,
        },
    );
    for (request, answer) in (2..).zip(answers.clone()) {
        let position = position.clone();
        builder.push(request, Outcome::Answered { position, answer });
    }
    let error = Box::new(Error::new(ErrorKind::Overloaded, "put"));
    for request in 7..9 {
        builder.push(request, Outcome::Failed(error.clone()));
    }
    let (items, _, _) = items(&mut builder);
    assert!(matches!(&items[0], ReplyItem::Written { request: 1, result, .. } if result == "old"));
    for (item, answer) in items[1..6].iter().zip(&answers) {
        assert!(matches!(item, ReplyItem::Answered { answer: read, .. } if read == answer));
    }
    assert_eq!(
        items[6],
        ReplyItem::Failed {
            first: 7,
            count: 2,
            error
        }
    );
}

#[test]
fn long_answers_are_cut_into_frames_and_too_long_ones_refused() {
    let mut builder = RepliesBuilder::new();
    let read = |len: usize| Outcome::Answered {
        position: Position::Entry(EntryId::ZERO),
        answer: Answer::Value(Some(vec![1; len].into())),
    };
    for request in 0..5 {
        builder.push(request, read(400 * 1024));
    }
    builder.push(5, read(2 * 1024 * 1024));
    let (items, _, frames) = items(&mut builder);
    assert_eq!((items.len(), frames), (6, 6));
    assert!(matches!(items[5], ReplyItem::Failed { first: 5, .. }));
}
